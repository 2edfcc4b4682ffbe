"""Reading, verifying and writing the files of a bundle."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from functions.bundle.metadata import FORMAT, InvalidMetadata, Metadata, Metrics, check_metadata

MODEL_FILE = "model.onnx"
METADATA_FILE = "metadata.json"
METRICS_FILE = "metrics.json"
BUNDLE_FILES = (MODEL_FILE, METADATA_FILE, METRICS_FILE)

_T = TypeVar("_T")


class BundleError(Exception):
    """A bundle can't be used; the message names the file and the fault."""


@dataclass(frozen=True)
class Candidate:
    """A trained model that has not been judged: no metrics yet."""

    model: bytes
    metadata: Metadata


@dataclass(frozen=True)
class Bundle(Candidate):
    """A released model: ONNX bytes, metadata and metrics, verified against each other."""

    metrics: Metrics


def encode(value: object) -> bytes:
    """`value` as indented JSON that is the same, byte for byte, for the same value."""
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2) + b"\n"


def digest(content: bytes) -> str:
    """SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def parse_candidate(files: Mapping[str, bytes], where: str) -> Candidate:
    """Verify model and metadata, from `files` by name; `where` is the folder that messages name.

    Raises:
        BundleError: a file is of an unknown version, or does not match.
    """
    metadata = parse_metadata(files[METADATA_FILE], f"{where}/{METADATA_FILE}")
    model = files[MODEL_FILE]
    found = digest(model)
    if found != metadata.model_sha256:
        raise BundleError(
            f"{where}/{MODEL_FILE}: its sha256 is {found[:12]}..., but {METADATA_FILE} says "
            f"{metadata.model_sha256[:12]}...: the file is damaged or belongs to another bundle"
        )
    return Candidate(model=model, metadata=metadata)


def parse_bundle(files: Mapping[str, bytes], where: str) -> Bundle:
    """Verify all files of a released bundle, as `parse_candidate` does.

    Raises:
        BundleError: a file is of an unknown version, or does not match.
    """
    candidate = parse_candidate(files, where)
    metrics = _decode(f"{where}/{METRICS_FILE}", files[METRICS_FILE], Metrics)
    return Bundle(model=candidate.model, metadata=candidate.metadata, metrics=metrics)


def parse_metadata(content: bytes, path: str) -> Metadata:
    """Verify a metadata file alone.

    Raises:
        BundleError: the file is of an unknown version, or contradicts itself.
    """
    version = _decode(path, content, dict[str, object]).get("format")
    if version != FORMAT:
        raise BundleError(f"{path}: bundle format {version!r} is unknown, this service reads format {FORMAT}")
    metadata = _decode(path, content, Metadata)
    try:
        check_metadata(metadata)
    except InvalidMetadata as error:
        raise BundleError(f"{path}: {error}") from error
    return metadata


def read_candidate(folder: Path) -> Candidate:
    """Read and verify model and metadata.

    Raises:
        BundleError: a file is missing, unreadable, of an unknown version, or does not match.
    """
    return parse_candidate(_read_all(folder, (METADATA_FILE, MODEL_FILE)), str(folder))


def read_bundle(folder: Path) -> Bundle:
    """Read and verify all files of a released bundle.

    Raises:
        BundleError: a file is missing, unreadable, of an unknown version, or does not match.
    """
    return parse_bundle(_read_all(folder, BUNDLE_FILES), str(folder))


def read_metadata(path: Path) -> Metadata:
    """Read and verify a metadata file alone.

    Raises:
        BundleError: the file is missing, unreadable, of an unknown version, or contradicts itself.
    """
    return parse_metadata(_read(path), str(path))


def _read_all(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    return {name: _read(folder / name) for name in names}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error


def _decode(path: str, content: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: {error}") from error
