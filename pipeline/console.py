"""What all command lines of the pipeline share: the report of an error, and progress on a terminal."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from functions.bundle.storage import StorageError
from pipeline.errors import PipelineError

_T = TypeVar("_T")


def run(command: Callable[[], str]) -> None:
    """Print what `command` returns, or its error, with exit code 1, without a traceback."""
    try:
        print(command())  # noqa: T201 -- a command line answers on stdout
    except (PipelineError, StorageError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


def progress(items: Iterable[_T], what: str, total: int) -> Iterator[_T]:
    """The items, with a progress bar when they take longer than two seconds on a terminal."""
    if total < 2 or not sys.stderr.isatty():
        yield from items
        return
    from tqdm import tqdm

    yield from tqdm(items, desc=what, total=total, delay=2, leave=False)
