"""Where a service takes its bundle from: what a pointer names, a folder, or MLflow's artifacts.

A source is asked again and again. What it offers has a stamp that changes when the bundle does, so
that finding nothing changed costs one small read, or none of the network at all.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from functions.bundle.files import (
    BUNDLE_FILES,
    METADATA_FILE,
    METRICS_FILE,
    MODEL_FILE,
    BundleError,
    Candidate,
    parse_bundle,
    parse_candidate,
    parse_metadata,
)
from functions.bundle.places import Folder, Place, open_place
from functions.bundle.pointer import InvalidPointer, Pointer, parse_pointer
from functions.bundle.storage import StorageError

POINTER_SUFFIX = ".json"


@dataclass(frozen=True)
class Offer:
    """What a source has now: `read` gives the bundle, verified, and the folder that it lies in.

    `read` raises a StorageError when a file is missing or can't be read, a BundleError when what was read is wrong.
    """

    stamp: Hashable
    read: Callable[[], tuple[Candidate, str]]


class BundleSource(Protocol):
    """Something that offers a bundle; `uri` names it."""

    uri: str

    def look(self) -> Offer:
        """What there is now.

        Raises:
            StorageError: there is nothing yet, or it can't be read.
            BundleError: what was read is wrong.
        """


def source_of(uri: str) -> BundleSource:
    """The source that a gs:// URI or a path names: a pointer if it ends in .json, else the bundle's folder."""
    return PointerSource(uri) if uri.endswith(POINTER_SUFFIX) else FolderSource(uri)


class PointerSource:
    """The bundle that a pointer such as gs://BUCKET/models/champion.json names."""

    def __init__(self, uri: str) -> None:
        """Name the pointer; nothing is read yet."""
        self.uri = uri
        folder, _, self._name = uri.rpartition("/")
        self._place = _Lazy(folder or ".")

    def look(self) -> Offer:
        """The pointer, read; its bundle is read when it is asked for.

        Raises:
            StorageError: there is no pointer yet, or it can't be read.
        """
        place = self._place.open()
        content, generation = _present(place, self._name)

        def read() -> tuple[Candidate, str]:
            pointer = self._parse(content)
            where = f"{place.uri}/{pointer.path}"
            bundle = parse_bundle(_read_all(place, BUNDLE_FILES, below=f"{pointer.path}/"), where)
            if (bundle.metadata.version, bundle.metadata.model_sha256) != (pointer.version, pointer.digest):
                raise BundleError(f"{where} is not the bundle that {self.uri} names; promote again")
            return bundle, where

        return Offer(generation, read)

    def _parse(self, content: bytes) -> Pointer:
        try:
            return parse_pointer(content)
        except InvalidPointer as error:
            raise BundleError(f"{self.uri} {error}") from error


class FolderSource:
    """The bundle in a folder, here or in a bucket."""

    def __init__(self, uri: str) -> None:
        """Name the folder; nothing is read yet."""
        self.uri = uri
        self._place = _Lazy(uri)

    def look(self) -> Offer:
        """The generations of the bundle's files; they are read when they are asked for.

        Raises:
            StorageError: a file is not there yet, or can't be read.
        """
        place = self._place.open()
        stamp = tuple(_require(place.generation(name), place, name) for name in _reading_order(BUNDLE_FILES))
        return Offer(stamp, lambda: (parse_bundle(_read_all(place, BUNDLE_FILES), place.uri), place.uri))


class ArtifactSource:
    """The model that a metadata.json in a folder names, where MLflow keeps its artifacts.

    As `gcloud storage cp -r mlruns/ gs://BUCKET` puts it: metadata.model_artifact_path is relative to
    the artifact root. The scores come from the metrics.json beside the metadata, if there is one.
    """

    def __init__(self, folder: Path, artifact_root: str) -> None:
        """Name the folder and the artifact root; nothing is read yet."""
        self.uri = artifact_root
        self._folder = Folder(folder)
        self._root = _Lazy(artifact_root)

    def look(self) -> Offer:
        """The metadata, read, and the generation of the model that it names.

        Raises:
            StorageError: one of the two is not there yet, or can't be read.
            BundleError: the metadata is wrong.
        """
        content, changed = _present(self._folder, METADATA_FILE)
        path = parse_metadata(content, f"{self._folder.uri}/{METADATA_FILE}").model_artifact_path
        root = self._root.open()
        generation = _require(root.generation(f"{path}/{MODEL_FILE}"), root, f"{path}/{MODEL_FILE}")

        def read() -> tuple[Candidate, str]:
            where = f"{root.uri}/{path}"
            files = {METADATA_FILE: content} | _read_all(root, [MODEL_FILE], below=f"{path}/")
            metrics = self._folder.read(METRICS_FILE)
            if metrics is None:
                return parse_candidate(files, where), where
            return parse_bundle(files | {METRICS_FILE: metrics[0]}, where), where

        return Offer((changed, generation), read)


class ModelDirectory:
    """MODEL_DIR: it holds the bundle, or its metadata while the model is among MLflow's artifacts."""

    def __init__(self, folder: Path, artifact_root: str = "") -> None:
        """Name the folder, and the artifact root if there is one; nothing is read yet."""
        self.uri = str(folder)
        self._folder = Folder(folder)
        self._whole = FolderSource(str(folder))
        self._artifact = ArtifactSource(folder, artifact_root) if artifact_root else None

    def look(self) -> Offer:
        """What there is now.

        Raises:
            StorageError: there is nothing yet, or it can't be read.
            BundleError: the metadata is wrong.
        """
        has = self._folder.generation
        if self._artifact and has(MODEL_FILE) is None and has(METADATA_FILE) is not None:
            return self._artifact.look()
        return self._whole.look()


class _Lazy:
    """A place that is opened when it is first needed: a bucket needs credentials, which may come later."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._place: Place | None = None

    def open(self) -> Place:
        if self._place is None:
            self._place = open_place(self._uri)
        return self._place


def _read_all(place: Place, names: Iterable[str], below: str = "") -> dict[str, bytes]:
    return {name: _present(place, below + name)[0] for name in _reading_order(names)}


def _reading_order(names: Iterable[str]) -> list[str]:
    """Metadata first: it is uploaded last, so where it is, the rest is."""
    return sorted(names, key=lambda name: name != METADATA_FILE)


def _present(place: Place, name: str) -> tuple[bytes, int]:
    found = place.read(name)
    if found is None:
        raise _absent(place, name)
    return found


def _require(generation: int | None, place: Place, name: str) -> int:
    if generation is None:
        raise _absent(place, name)
    return generation


def _absent(place: Place, name: str) -> StorageError:
    return StorageError(f"{place.uri}/{name}: is not there")
