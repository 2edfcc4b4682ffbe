"""How a class of settings declares environment variables, and how they are read.

A setting is a dataclass field made by `setting`: its variable, its default, its meaning. The
reader, the faults that it reports and docs/configuration.md follow from that declaration.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class InvalidSettings(Exception):
    """The environment can't be used; the message lists every fault."""

    def __init__(self, faults: list[str]) -> None:
        """Make one message of all `faults`."""
        super().__init__("\n".join(["the settings can't be used:", *(f"  - {fault}" for fault in faults)]))
        self.faults = faults


@dataclass(frozen=True)
class Variable:
    """One environment variable: how it is read, and what docs/configuration.md says of it.

    `read` makes the value of a text, or raises a ValueError that says what the text is not.
    """

    name: str
    read: Callable[[str], Any]
    meaning: str
    default: str = ""


def setting(name: str, read: Callable[[str], Any], default: str, meaning: str, *, secret: bool = False) -> Any:
    """Declare a dataclass field that is read from the variable `name`; a secret is never shown."""
    variable = Variable(name=name, read=read, default=default, meaning=meaning)
    return dataclasses.field(
        default_factory=lambda: read(default), repr=not secret, metadata={"variable": variable, "secret": secret}
    )


def variables_of(settings: type) -> list[Variable]:
    """The variables that a class of settings declares, in their order."""
    return [field.metadata["variable"] for field in _declared(settings)]


def read_variables(settings: type, environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The values of the variables that are set, by field name, and what is wrong with the others.

    A variable that is empty counts as not set.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field in _declared(settings):
        variable: Variable = field.metadata["variable"]
        text = environ.get(variable.name, "").strip()
        if not text:
            continue
        try:
            values[field.name] = variable.read(text)
        except ValueError as error:
            shown = "its value" if field.metadata["secret"] else repr(text)
            faults.append(f"{variable.name}: {shown} {error}")
    return values, faults


def one_of(*allowed: str) -> Callable[[str], str]:
    """Reads one of the `allowed` words."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"is none of {', '.join(allowed)}")
        return text

    return read


def integer(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number from `low` to `high`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError("is no whole number") from None
        if not low <= value <= high:
            raise ValueError(f"is not between {low} and {high}")
        return value

    return read


def listed(text: str) -> tuple[str, ...]:
    """Reads the parts between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _declared(settings: type) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(settings) if "variable" in field.metadata]
