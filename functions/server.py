"""`python -m functions.server`: the service on granian, one serving process unless WORKERS says otherwise."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from functions import logs
from functions.ports import why_not_free
from functions.settings import SHARED_METRICS, THREADS, Settings
from functions.variables import InvalidSettings

IDLE_CONNECTION_SECONDS = 650
"""Longer than the 600 s for which Google's load balancer keeps its connections, so that it closes first."""

DRAIN_SECONDS = 8
"""Cloud Run kills 10 s after SIGTERM."""

SHARED_MEMORY = "/dev/shm"  # noqa: S108 -- a folder of its own is made in it

GC_THRESHOLDS = (100_000, 50, 1000)
"""A batch makes tens of thousands of objects that live as long as its request."""

SWITCH_SECONDS = 0.001
"""How long a thread with a large batch may hold the interpreter while a single row waits."""

_LOGGERS: dict[str, Any] = {
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"handlers": [], "propagate": True}, "granian.access": {"handlers": [], "propagate": True}},
}
"""granian's own messages go where the service's go, in the same form."""


def main() -> None:
    """Serve until SIGTERM or Ctrl-C; requests in flight are finished.

    Raises:
        SystemExit: the environment can't be used; the message lists every fault.
    """
    try:
        settings = Settings.from_environ(os.environ)
    except InvalidSettings as error:
        raise SystemExit(str(error)) from None
    logs.configure(settings.log_level)
    _require_free(settings.host, settings.port)
    with _shared_metrics(settings):
        server(settings).serve(target_loader=_load_app, wrap_loader=False)


@contextmanager
def _shared_metrics(settings: Settings) -> Iterator[None]:
    """Give several workers an empty folder to count in; one worker alone counts in its memory, which is faster.

    Raises:
        SystemExit: no folder can be written.
    """
    # prometheus_client looks for the variable when the workers import it
    if settings.workers == 1:
        os.environ.pop(SHARED_METRICS, None)
        yield
        return
    with ExitStack() as stack:
        try:
            folder = settings.metrics_dir or Path(stack.enter_context(_folder_in_memory()))
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob("*.db"):
                left.unlink()
        except OSError as error:
            raise SystemExit(
                f"{SHARED_METRICS}: several workers need a folder for their metrics, one that can be written: {error}"
            ) from None
        os.environ[SHARED_METRICS] = str(folder)
        yield


def _folder_in_memory() -> TemporaryDirectory[str]:
    """A folder that is deleted at the end, in shared memory where there is some: also where all else is read-only."""
    return TemporaryDirectory(
        prefix="metrics-", dir=SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None, ignore_cleanup_errors=True
    )


def _require_free(host: str, port: int) -> None:
    """Refuse a port that something listens on: granian would share it with another granian, unnoticed."""
    reason = why_not_free(host, port)
    if reason is not None:
        raise SystemExit(f"can't listen on {host}:{port}: {reason}; choose another with PORT=...")


def server(settings: Settings) -> MPServer:
    """The configured server; it loads the app in the serving process, after the fork."""
    return MPServer(
        "functions.app:from_environment",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=THREADS,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=IDLE_CONNECTION_SECONDS * 1000),
        log_level=LogLevels.warning,
        log_dictconfig=_LOGGERS,
        workers_kill_timeout=DRAIN_SECONDS,
    )


def _load_app() -> Callable[..., Any]:
    """Load the app in the serving process, and tune the interpreter to it (docs/adr/0006-interpreter.md)."""
    # A terminal's Ctrl-C goes to all processes, and the parent then ends this one by SIGTERM. Two signals at once can
    # catch granian's main thread in a lock that its handler takes too: it would hang until it is killed.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    gc.disable()
    from functions.app import from_environment

    app = from_environment()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()
    sys.setswitchinterval(SWITCH_SECONDS)
    return app


if __name__ == "__main__":
    main()
