"""Make a released bundle the champion, or take that back.

    python -m pipeline.promote                              models/ -> champion/
    python -m pipeline.promote --to gs://BUCKET/models      upload, then move the pointer
    python -m pipeline.promote --rollback [--to ...]        back to the one before

In both places a second rollback undoes the first.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from functions.bundle.files import Bundle
from functions.bundle.pointer import POINTER, Pointer
from functions.bundle.storage import SCHEME, Location
from pipeline import console
from pipeline.champion import download, move_pointer, read_pointer, upload
from pipeline.errors import PromotionError, TrackingError
from pipeline.install import copy_contents, holds_bundle, install, load_bundle
from pipeline.paths import CHAMPION, MODELS
from pipeline.tracking import LOCAL_STORE, parse_store, set_champion

SetAlias = Callable[[Bundle], str]


def main(arguments: Sequence[str]) -> str:
    """Promote or roll back as the arguments say, and say what is champion now."""
    options = _parse(arguments)
    bucket = Location(options.to) if options.to.startswith(SCHEME) else None
    if options.rollback:
        bundle = roll_back(Path(options.to)) if bucket is None else roll_back_pointer(bucket)
    else:
        source = Path(options.source)
        bundle = promote(source, Path(options.to)) if bucket is None else promote_to_bucket(source, bucket)
    return f"{options.to}: champion is version {bundle.metadata.version}\n{move_alias(bundle)}"


def promote(models: Path, champion: Path) -> Bundle:
    """Copy the bundle in `models` to `champion`, and keep the champion so far for a rollback.

    Raises:
        BrokenBundle: one of the two is damaged; `champion` is as it was.
    """
    bundle = released(models)
    files = copy_contents(models)
    if holds_bundle(champion) and copy_contents(champion) == files:
        return bundle
    return install(files, champion, previous=previous_of(champion))


def released(models: Path) -> Bundle:
    """The bundle in `models`, proved.

    Raises:
        PromotionError: there is none.
        BrokenBundle: it is damaged.
    """
    if not holds_bundle(models):
        raise PromotionError(f"{models}/ holds no bundle to promote; make one with `make train`")
    return load_bundle(models)


def roll_back(champion: Path) -> Bundle:
    """Exchange the bundle in `champion` with the one that it replaced.

    Raises:
        PromotionError: there is none.
    """
    previous = previous_of(champion)
    if not holds_bundle(previous):
        raise PromotionError(f"{champion}/ has replaced no bundle yet, so there is nothing to go back to")
    load_bundle(previous)
    return install(copy_contents(previous), champion, previous=previous)


def promote_to_bucket(models: Path, bucket: Location) -> Bundle:
    """Upload the bundle in `models` and point the bucket's champion.json to it.

    Raises:
        PromotionError: the version is there with other content, or somebody else moved the pointer.
    """
    bundle = released(models)
    version = bundle.metadata.version
    current, generation = read_pointer(bucket)
    upload(bucket, version, copy_contents(models))
    if current is None or current.version != version:
        previous = None if current is None else current.version
        move_pointer(bucket, _pointer(bundle, previous), generation)
    return bundle


def roll_back_pointer(bucket: Location) -> Bundle:
    """Point champion.json to the version before, once that has been downloaded and found sound.

    Raises:
        PromotionError: there is none, or somebody else moved the pointer.
    """
    current, generation = read_pointer(bucket)
    if current is None or current.previous is None:
        raise PromotionError(f"{bucket.uri}/{POINTER} names no version before, so there is nothing to go back to")
    with tempfile.TemporaryDirectory() as folder:
        bundle = install(download(bucket, current.previous), Path(folder) / current.previous)
    move_pointer(bucket, _pointer(bundle, current.version), generation)
    return bundle


def move_alias(bundle: Bundle) -> str:
    """Move MLflow's alias to the bundle's registered version, and say so, or why not.

    The alias is a note for people; what serves is decided by the pointer. So a store that is out of
    reach, as on a build machine, does not fail a promotion.
    """
    store = parse_store(os.environ.get("MLFLOW_TRACKING_URI"))
    name, run_id = bundle.metadata.name, bundle.metadata.mlflow_run_id
    if store.uri == LOCAL_STORE and not Path("mlflow.db").exists():
        return "MLflow's alias stays as it was: there is no mlflow.db here; set MLFLOW_TRACKING_URI to your server"
    try:
        version = set_champion(store, name, run_id)
    except TrackingError as error:
        return f"MLflow's alias stays as it was: {error}"
    return f"MLflow: {name}@champion is version {version}"


def previous_of(champion: Path) -> Path:
    """Where the bundle that `champion` replaced is kept."""
    return champion.with_name(f".{champion.name}.previous")


def _pointer(bundle: Bundle, previous: str | None) -> Pointer:
    version = bundle.metadata.version
    return Pointer(version=version, path=version, digest=bundle.metadata.model_sha256, previous=previous)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.promote", description="Make a released bundle the champion."
    )
    parser.add_argument(
        "--from", dest="source", default=str(MODELS), help="folder of the bundle (default: %(default)s)"
    )
    parser.add_argument("--to", default=str(CHAMPION), help="folder, or gs://BUCKET/models (default: %(default)s)")
    parser.add_argument("--rollback", action="store_true", help="go back to the champion before")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
