"""Putting a bundle into a folder: verified, and never half."""

import os
import shutil
from pathlib import Path

from functions.bundle.files import (
    BUNDLE_FILES,
    METADATA_FILE,
    METRICS_FILE,
    MODEL_FILE,
    Bundle,
    BundleError,
    encode,
    read_bundle,
)
from functions.bundle.runtime import load_classifier
from pipeline.errors import BrokenBundle


def holds_bundle(folder: Path) -> bool:
    """Whether any file of a bundle is there; then all of it should be."""
    return any((folder / name).exists() for name in BUNDLE_FILES)


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle, and let its model answer the golden examples.

    Raises:
        BrokenBundle: it is incomplete, damaged, or gives other answers.
    """
    try:
        bundle = read_bundle(folder)
        load_classifier(bundle)
    except BundleError as error:
        raise BrokenBundle(f"{error}; restore the bundle in {folder}, or empty the folder") from error
    return bundle


def contents(bundle: Bundle) -> dict[str, bytes]:
    """The files of a bundle by name."""
    return {MODEL_FILE: bundle.model, METADATA_FILE: encode(bundle.metadata), METRICS_FILE: encode(bundle.metrics)}


def copy_contents(folder: Path) -> dict[str, bytes]:
    """The files of a bundle as they are on disk."""
    return {name: (folder / name).read_bytes() for name in BUNDLE_FILES}


def install(files: dict[str, bytes], folder: Path, previous: Path | None = None) -> Bundle:
    """Make `files` the bundle in `folder`, and keep what was there in `previous`, if that is given.

    The new folder is written beside the old one and verified, and only then are they exchanged: a
    crash leaves the old bundle or the new one. Other files of the folder (a README) stay.

    Raises:
        BrokenBundle: what was written is no sound bundle; `folder` is as it was.
    """
    _recover(folder)
    staged, replaced = _beside(folder, "new"), _beside(folder, "old")
    for leftover in (staged, replaced):
        shutil.rmtree(leftover, ignore_errors=True)
    if folder.exists():
        shutil.copytree(folder, staged, ignore=shutil.ignore_patterns(*BUNDLE_FILES))
    staged.mkdir(parents=True, exist_ok=True)
    try:
        for name, content in files.items():
            _write(staged / name, content)
        bundle = load_bundle(staged)
    except BrokenBundle:
        shutil.rmtree(staged)
        raise
    if folder.exists():
        folder.rename(replaced)
    staged.rename(folder)
    if previous is not None and holds_bundle(replaced):
        shutil.rmtree(previous, ignore_errors=True)
        replaced.rename(previous)
    shutil.rmtree(replaced, ignore_errors=True)
    return bundle


def _recover(folder: Path) -> None:
    """Undo an exchange that was cut off between its two renames."""
    replaced = _beside(folder, "old")
    if replaced.exists() and not folder.exists():
        replaced.rename(folder)


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(f".{folder.name}.{suffix}")


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
