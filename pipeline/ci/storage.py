"""Small objects in Cloud Storage, through gcloud."""

import re

from pipeline.ci.shell import CommandFailed, Run
from pipeline.errors import DeliveryError

NONE = "0"
"""The generation of an object that there is not."""


class Conflict(DeliveryError):
    """The object is of another generation by now: somebody else wrote or deleted it."""


def read(run: Run, uri: str) -> str | None:
    """Content of an object, None where there is none. `uri`#GENERATION is the object as it was then.

    Raises:
        CommandFailed: it can't be read.
    """
    try:
        return run("gcloud", "storage", "cat", uri)
    except CommandFailed as error:
        if _is_missing(error):
            return None
        raise


def generation(run: Run, uri: str) -> str:
    """The generation of an object, NONE where there is none.

    Raises:
        CommandFailed: it can't be asked.
    """
    try:
        return run("gcloud", "storage", "objects", "describe", uri, "--format=value(generation)").strip()
    except CommandFailed as error:
        if _is_missing(error):
            return NONE
        raise


def write(run: Run, uri: str, content: str, expected: str | None = None) -> None:
    """Write an object, if it is of the generation `expected`; None: whatever it is.

    Raises:
        Conflict: it is of another.
        CommandFailed: it can't be written.
    """
    kind = "application/json" if uri.endswith(".json") else "text/plain"
    _conditional(run, ("cp", "-", uri, f"--content-type={kind}"), expected, content)


def delete(run: Run, uri: str, expected: str | None = None) -> None:
    """Delete an object, if it is of the generation `expected`; None: whatever it is.

    Raises:
        Conflict: it is of another.
        CommandFailed: it can't be deleted, such as one that there is not.
    """
    _conditional(run, ("rm", uri), expected, None)


def _conditional(run: Run, words: tuple[str, ...], expected: str | None, content: str | None) -> None:
    condition = () if expected is None else (f"--if-generation-match={expected}",)
    try:
        run("gcloud", "storage", *words, *condition, text=content)
    except CommandFailed as error:
        if re.search(r"HTTPError 412|pre-?condition", str(error)):
            raise Conflict(str(error)) from error
        raise


def _is_missing(error: CommandFailed) -> bool:
    return "matched no objects" in str(error) or "not found: 404" in str(error)
