"""Where the limits of one process count.

The storage that comes with `limits` starts a timer thread every ten milliseconds under load, which
looks at every key: it took a quarter of the request rate, and more with every further client.
"""

import threading
import time
from collections.abc import Callable

from limits.storage import Storage


class WindowStorage(Storage):
    """Fixed windows in memory; those that are over are forgotten once a window length."""

    STORAGE_SCHEME = ["window"]  # noqa: RUF012 -- how limits finds a storage by its URI

    def __init__(
        self, uri: str | None = None, wrap_exceptions: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        """Start without any window; `clock` gives seconds since the epoch."""
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[int, float]] = {}
        self._sweep_at = 0.0

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """What can go wrong: nothing."""
        return ()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count `amount` in the key's window, which starts with its first count and lasts `expiry` seconds."""
        now = self._clock()
        with self._lock:
            count, end = self._windows.get(key, (0, 0.0))
            if end <= now:
                count, end = 0, now + expiry
                self._sweep(now, expiry)
            count += amount
            self._windows[key] = count, end
        return count

    def get(self, key: str) -> int:
        """The count of the key's window; 0 if there is none."""
        count, end = self._windows.get(key, (0, 0.0))
        return count if end > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """When the key's window ends, in seconds since the epoch; now if there is none."""
        now = self._clock()
        return max(self._windows.get(key, (0, now))[1], now)

    def check(self) -> bool:
        """Whether the storage works."""
        return True

    def reset(self) -> int:
        """Forget all windows; returns how many there were."""
        with self._lock:
            forgotten = len(self._windows)
            self._windows.clear()
        return forgotten

    def clear(self, key: str) -> None:
        """Forget the key's window."""
        with self._lock:
            self._windows.pop(key, None)

    def _sweep(self, now: float, interval: float) -> None:
        if now < self._sweep_at:
            return
        self._sweep_at = now + interval
        self._windows = {key: window for key, window in self._windows.items() if window[1] > now}
