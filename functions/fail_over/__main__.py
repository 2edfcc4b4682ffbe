"""The controller as a program, for a timer or a service on the VM.

python -m functions.fail_over --once    one round
python -m functions.fail_over --loop    a round a minute, until SIGTERM or Ctrl-C

Exit codes: 0 done, 1 the round failed, 2 the command or the settings can't be used.
"""

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

from functions import logs
from functions.bundle.storage import StorageError
from functions.fail_over.controller import make_round
from functions.fail_over.load_balancer import LoadBalancerError
from functions.settings import FailoverSettings
from functions.variables import InvalidSettings

ROUND_SECONDS = 60

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> int:
    """Make one round, or one a minute; gives the exit code."""
    options = _parse(arguments)
    try:
        settings = FailoverSettings.from_environ(os.environ)
    except InvalidSettings as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 -- a command line answers its user
        return 2
    logs.configure("INFO")
    # also where whoever started it had it ignore Ctrl-C, as a shell does in the background
    for stopping in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stopping, _stop)
    try:
        if options.once:
            return 0 if attempt(settings) else 1
        while True:
            started = time.monotonic()
            attempt(settings)
            time.sleep(max(0.0, ROUND_SECONDS - (time.monotonic() - started)))
    except KeyboardInterrupt:
        return 0


def attempt(settings: FailoverSettings) -> bool:
    """Make a round; a failure is logged, because the next round may do better."""
    try:
        make_round(settings)
    except (LoadBalancerError, StorageError) as error:
        logger.error("the round failed", extra={"reason": str(error)})
        return False
    return True


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m functions.fail_over", description="Control the VM fallback.")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--once", action="store_true", help="make one round")
    how.add_argument("--loop", action="store_true", help="make a round a minute, until SIGTERM or Ctrl-C")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
