"""Where bundles lie, a folder of this machine or a place in a bucket: read alike."""

from pathlib import Path
from typing import Protocol

from functions.bundle.storage import SCHEME, Location, StorageError


class Place(Protocol):
    """A folder, here or in a bucket."""

    uri: str

    def read(self, name: str) -> tuple[bytes, int] | None:
        """Content and generation of a file below this place, None where there is none.

        Raises:
            StorageError: it can't be read.
        """

    def generation(self, name: str) -> int | None:
        """A number that changes with the file's content, None where there is no such file.

        Raises:
            StorageError: it can't be read.
        """


class Folder:
    """A folder of this machine; a file's generation is the time of its last change."""

    def __init__(self, path: Path) -> None:
        """Name the folder; it need not exist yet."""
        self._path = path
        self.uri = str(path)

    def read(self, name: str) -> tuple[bytes, int] | None:
        """Content and generation of a file below this folder, None where there is none.

        Raises:
            StorageError: it can't be read.
        """
        # looked at first: content that changes meanwhile is then read again
        generation = self.generation(name)
        if generation is None:
            return None
        try:
            return (self._path / name).read_bytes(), generation
        except OSError as error:
            raise self._error(name, error) from error

    def generation(self, name: str) -> int | None:
        """Time of the last change, in nanoseconds, None where there is no such file.

        Raises:
            StorageError: it can't be read.
        """
        try:
            return (self._path / name).stat().st_mtime_ns
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(name, error) from error

    def _error(self, name: str, error: OSError) -> StorageError:
        return StorageError(f"{self._path / name}: {error.strerror}")


def open_place(uri: str) -> Place:
    """The place that a gs:// URI or a path names.

    Raises:
        StorageError: it is a URI of another kind, or there are no credentials for it.
    """
    return Location(uri) if uri.startswith(SCHEME) else Folder(Path(uri))
