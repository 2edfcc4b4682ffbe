"""Calling programs, and ending when Cloud Build ends a step."""

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn, Protocol

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
    say(" ".join(("+", *words)))
    result = subprocess.run(words, input=text, capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode:
        raise CommandFailed(f"{' '.join(words[:5])} ...: {result.stderr.strip()[-2000:]}")
    return result.stdout


def say(text: str) -> None:
    """Write a line to the build's log at once: what comes next may not come back."""
    print(text, flush=True)  # noqa: T201


def step(command: Callable[[], str]) -> None:
    """Run a step's `command` and print what it says, or its error with exit code 1.

    SIGTERM ends it as an error does: what the step has begun is undone, if it is given the time. A second one is not
    heard, so that it does not cut that off.
    """
    signal.signal(signal.SIGTERM, _end)
    try:
        say(command())
    except DeliveryError as error:
        sys.exit(f"error: {error}")


def _end(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit("error: the build was ended")
