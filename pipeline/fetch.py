"""Fetch the champion of a bucket, so that the next candidate is compared with what serves.

python -m pipeline.fetch gs://BUCKET/models [--into champion] [--required] [--note FILE]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from functions.bundle.files import Bundle
from functions.bundle.storage import Location
from pipeline import console
from pipeline.champion import download, read_pointer
from pipeline.errors import PromotionError
from pipeline.install import install
from pipeline.paths import CHAMPION


def main(arguments: Sequence[str]) -> str:
    """Fetch as the arguments say, and say what was fetched."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.fetch", description="Fetch the champion of a bucket.")
    parser.add_argument("bucket", help="gs://BUCKET/models, where champion.json is")
    parser.add_argument("--into", default=str(CHAMPION), help="folder (default: %(default)s)")
    parser.add_argument("--required", action="store_true", help="fail where there is no champion yet")
    parser.add_argument("--note", type=Path, help="file to write its version into, nothing where there is none")
    options = parser.parse_args(arguments)
    bundle = fetch(Location(options.bucket), Path(options.into))
    if options.note is not None:
        options.note.write_text("" if bundle is None else bundle.metadata.version, encoding="utf-8")
    if bundle is None:
        if options.required:
            raise PromotionError(f"{options.bucket}: no champion yet; submit ACTION=all first, or promote a bundle")
        return f"{options.bucket} has no champion yet; {options.into}/ is as it was"
    return f"{options.into}: champion {bundle.metadata.version} of {options.bucket}"


def fetch(bucket: Location, into: Path) -> Bundle | None:
    """Install the bucket's champion in a folder; None where the bucket has none yet.

    Raises:
        PromotionError: the pointer or the bundle that it names is damaged.
        BrokenBundle: the same, found when the model was run.
    """
    pointer, _ = read_pointer(bucket)
    if pointer is None:
        return None
    return install(download(bucket, pointer.path, pointer.digest), into)


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
