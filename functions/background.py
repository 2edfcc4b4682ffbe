"""Work that requests start and don't wait for."""

import logging
import math
import threading
import time
from collections.abc import Callable

RETRY_SECONDS = 5.0
"""Until the next try, where something is missing that the service can't do without."""

LONGEST_RETRY_SECONDS = 60.0
"""Until the next try of what has failed several times in a row, in a way that nobody expected."""

LATE_SECONDS = 15.0
"""Nobody asked for so long after a task was due: the processor may have slept, and may when the request is answered."""

NEVER = math.inf

logger = logging.getLogger(__name__)


class BackgroundTask:
    """A task in a thread of its own, one at a time.

    Requests start it when it is due, instead of a clock: where the processor sleeps between requests,
    as on Cloud Run, a clock would sleep too. One that fails is tried again, after twice the pause each time
    that it fails in a row; the log says so where it fails otherwise than the time before.
    """

    def __init__(self, name: str, task: Callable[[], float], due: float = 0.0, patience: float = 0.0) -> None:
        """`task` gives the seconds until it is due again; it is first due at `due`, of time.monotonic().

        A request that starts it LATE_SECONDS too late waits for it, at most `patience` seconds.
        """
        self.due = due
        self._patience = patience
        self._name = name
        self._task = task
        self._starting = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self._retry_seconds = RETRY_SECONDS
        self._said: tuple[type[Exception], str] | None = None

    def start_if_due(self) -> None:
        """Start it, if it is due; who is late waits for it."""
        if time.monotonic() >= self.due:
            self._start_due()

    def start(self) -> bool:
        """Start it, unless it runs; whether this call did."""
        with self._starting:
            if not self._idle.is_set():
                return False
            self._idle.clear()
            self.due = NEVER
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError as error:  # the machine has no thread left; the request that asks is answered all the same
            self._end(self._pause_after("%s can't start", error))
        return True

    def wait(self, seconds: float) -> bool:
        """Wait until it does not run, at most so long; whether that was enough."""
        return self._idle.wait(max(0.0, seconds))

    def _start_due(self) -> None:
        # far below zero where another request was quicker, which set it to NEVER
        late = time.monotonic() - self.due
        if self.start() and late >= LATE_SECONDS:
            self.wait(self._patience)

    def _run(self) -> None:
        pause = RETRY_SECONDS
        try:
            pause = self._task()
            self._retry_seconds, self._said = RETRY_SECONDS, None
        except Exception as error:  # noqa: BLE001 -- _pause_after tells it
            pause = self._pause_after("%s failed", error)
        finally:
            self._end(pause)

    def _pause_after(self, message: str, error: Exception) -> float:
        """Log the error, unless it is the one of the last try; gives the seconds until the next."""
        if self._said != (type(error), str(error)):
            self._said = (type(error), str(error))
            logger.error(message, self._name, exc_info=error)
        pause = self._retry_seconds
        self._retry_seconds = min(2 * pause, LONGEST_RETRY_SECONDS)
        return pause

    def _end(self, pause: float) -> None:
        self.due = time.monotonic() + pause
        self._idle.set()
