"""Where requests are counted: in this process, or in a storage that all instances share.

The shared storage is a convenience that no request may depend on: whoever waits for it waits for
DEADLINE_SECONDS at most, and while it is out of reach each process counts for itself.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple, Protocol

from limits import RateLimitItem
from limits.storage import Storage

from functions.window_storage import WindowStorage

DEADLINE_SECONDS = 0.045
"""What the shared storage may cost a request; with what the request costs itself, less than 50 ms."""

RETRY_SECONDS = 5.0
"""How long a storage that failed is left alone, give or take a half."""

START_SECONDS = 1.0
"""How long a start waits for the shared storage, so that the first requests need not."""

_PROBE = "probe"
logger = logging.getLogger(__name__)


class Count(NamedTuple):
    """Requests in a caller's window, this one included, and when the window ends once they reach the limit."""

    requests: int
    resets_at: float


class Counter(Protocol):
    """Counts requests."""

    def hit(self, key: str, item: RateLimitItem) -> Count:
        """Count one request for `key` in the window of `item`."""


class CountingMetrics(Protocol):
    """Where the state of a shared storage is shown."""

    def count_limit_storage_failure(self) -> None:
        """Count one try that failed."""

    def set_limits_degraded(self, degraded: bool) -> None:
        """Show whether this process counts for itself."""


class LocalCounter:
    """Counts in this process."""

    def __init__(self, storage: Storage) -> None:
        """Count in `storage`."""
        self._storage = storage

    def hit(self, key: str, item: RateLimitItem) -> Count:
        """Count one request for `key` in the window of `item`."""
        return _count(self._storage, key, item)


class SharedCounter:
    """Counts in a storage that other instances count in too, and for this process alone while that is out of reach.

    The storage is asked on threads of its own, because only a caller that does not itself sit on the
    socket can leave in time, whichever of connecting, signing in and answering is slow. Requests drive
    the return too: where the CPU sleeps between requests nothing else could.
    """

    def __init__(
        self, storage: Storage, metrics: CountingMetrics, threads: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Count in `storage`, asked by as many threads as there are requests at a time; connects each right away."""
        self._shared = storage
        self._local = WindowStorage()
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="limits")
        self._failures: tuple[type[Exception], ...] = (TimeoutError, *_exceptions(storage))
        self._lost = False
        self._retry_at = 0.0
        self._start_try().join(START_SECONDS)

    def hit(self, key: str, item: RateLimitItem) -> Count:
        """Count one request for `key` in the window of `item`."""
        if not self._lost:
            answer = self._pool.submit(_count, self._shared, key, item)
            try:
                return answer.result(DEADLINE_SECONDS)
            except self._failures as error:
                answer.cancel()
                self._lose(error)
        elif self._clock() >= self._retry_at:
            self._retry()
        return _count(self._local, key, item)

    def _retry(self) -> None:
        with self._lock:
            if self._clock() < self._retry_at:
                return
            self._leave_alone()
        self._start_try()

    def _start_try(self) -> threading.Thread:
        attempt = threading.Thread(target=self._try, name="limits try", daemon=True)
        attempt.start()
        return attempt

    def _try(self) -> None:
        """See whether the storage counts, and fast enough once every thread has its connection."""
        try:
            together = threading.Barrier(self._threads)
            for answer in [self._pool.submit(self._connect, together) for _ in range(self._threads)]:
                answer.result()
            started = self._clock()
            self._shared.incr(_PROBE, 1)
        except self._failures as error:
            self._lose(error)
            return
        if self._clock() - started > DEADLINE_SECONDS:
            self._lose(TimeoutError())
            return
        with self._lock:
            lost, self._lost = self._lost, False
        if lost:
            self._metrics.set_limits_degraded(False)
            logger.info("the limits count in their shared storage again")

    def _connect(self, together: threading.Barrier) -> None:
        """Count at the same moment as the other threads, so that each needs a connection of its own."""
        with suppress(threading.BrokenBarrierError):
            together.wait(START_SECONDS)
        self._shared.incr(_PROBE, 1)

    def _lose(self, error: BaseException) -> None:
        self._metrics.count_limit_storage_failure()
        with self._lock:
            lost, self._lost = self._lost, True
            self._leave_alone()
        if not lost:
            self._metrics.set_limits_degraded(True)
            reason = str(error) or f"no answer within {DEADLINE_SECONDS * 1000:.0f} ms"
            logger.warning("the limits count per process: their shared storage fails", extra={"reason": reason})

    def _leave_alone(self) -> None:
        self._retry_at = self._clock() + RETRY_SECONDS * random.uniform(0.5, 1.5)


def _exceptions(storage: Storage) -> tuple[type[Exception], ...]:
    found = storage.base_exceptions
    return found if isinstance(found, tuple) else (found,)


def _count(storage: Storage, key: str, item: RateLimitItem) -> Count:
    requests = storage.incr(key, item.get_expiry())
    return Count(requests, storage.get_expiry(key) if requests >= item.amount else 0.0)
