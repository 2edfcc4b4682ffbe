"""What the checks of `make doctor` find, and how it is shown. Needs nothing but the standard library."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import Thread
from typing import TextIO, TypeVar

NETWORK_SECONDS = 3.0
"""How long a check waits for somebody else's answer."""

INSTALL = "make install (make run does it too)"

_T = TypeVar("_T")


class State(StrEnum):
    """How a check went. `OPTIONAL` is what only some commands need: it does not make the doctor fail."""

    OK = "ok"
    FAULT = "fault"
    OPTIONAL = "optional"


@dataclass(frozen=True)
class Finding:
    """The outcome of one check: what was found, and what puts it right. Holds no secret."""

    name: str
    state: State
    found: str
    remedy: str = ""


def ok(name: str, found: str) -> Finding:
    """Nothing to do."""
    return Finding(name, State.OK, found)


def fault(name: str, found: str, remedy: str) -> Finding:
    """Has to be put right."""
    return Finding(name, State.FAULT, found, remedy)


def optional(name: str, found: str, remedy: str) -> Finding:
    """Has to be put right for some commands only."""
    return Finding(name, State.OPTIONAL, found, remedy)


def unchecked(name: str, error: ModuleNotFoundError) -> Finding:
    """A check that needs a package which is not there; that is a fault of its own, said once."""
    return optional(name, f"not checked: {error.name} is not installed", INSTALL)


def within(seconds: float, ask: Callable[[], _T]) -> _T:
    """What `ask` returns or raises, if it does so in time.

    Raises:
        TimeoutError: it does not; it is left to itself, and does not keep the process from ending.
    """
    answers: list[_T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception as error:  # noqa: BLE001 -- raised below, where the caller can see it
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return answers[0]


def table(title: str, findings: Sequence[Finding], colours: bool) -> str:
    """The findings in columns, each remedy below what it is for."""
    width = max(len(finding.name) for finding in findings)
    lines = [title]
    for finding in findings:
        state = finding.state.ljust(len(State.OPTIONAL))
        shown = f"{_COLOURS[finding.state]}{state}{_PLAIN}" if colours else state
        indent = "\n" + " " * (6 + len(state) + width)
        found = indent.join(finding.found.splitlines())
        lines.append(f"  {shown}  {finding.name:{width}}  {found}")
        if finding.remedy:
            lines[-1] += f"{indent}-> {finding.remedy}"
    return "\n".join(lines) + "\n"


def report(tables: dict[str, list[Finding]], stream: TextIO) -> int:
    """Write the tables and a last line that sums them up; gives the exit code, 1 if there is a fault."""
    colours = stream.isatty()
    for title, findings in tables.items():
        stream.write(table(title, findings, colours) + "\n")
    faults = [finding.name for findings in tables.values() for finding in findings if finding.state is State.FAULT]
    stream.write(f"to put right: {', '.join(faults)}\n" if faults else "all that is needed is there\n")
    return 1 if faults else 0


_COLOURS = {State.OK: "\033[32m", State.FAULT: "\033[31m", State.OPTIONAL: "\033[33m"}
_PLAIN = "\033[0m"
