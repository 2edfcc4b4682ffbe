"""Calling programs, and ending when Cloud Build ends a step."""

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Protocol

from pipeline.errors import DeliveryError


class CommandFailed(DeliveryError):
    """A program ended with an error; the message holds what it said."""


class Run(Protocol):
    """Calls a program with words, and `text` on its input, and gives what it printed."""

    def __call__(self, *words: str, text: str | None = None) -> str:
        """Call it.

        Raises:
            CommandFailed: it ended with an error.
        """


def run(*words: str, text: str | None = None) -> str:
    """Call a program, as `Run` says. What is called is printed, so no secret may stand in it."""
    print("+", *words, flush=True)  # noqa: T201 -- a build's log
    result = subprocess.run(words, input=text, capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode:
        raise CommandFailed(f"{' '.join(words[:5])} ...: {result.stderr.strip()[-2000:]}")
    return result.stdout


def step(command: Callable[[], str]) -> None:
    """Run a step's `command` and print what it says, or its error with exit code 1.

    SIGTERM, which comes when a build is cancelled or takes too long, ends it as an error does: what
    the step has begun is undone.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: the build was ended"))
    try:
        print(command())  # noqa: T201
    except DeliveryError as error:
        sys.exit(f"error: {error}")
