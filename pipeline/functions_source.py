"""Write the source folder that `gcloud functions deploy --gen2 --source=...` takes, and a zip of it.

    python -m pipeline.functions_source                 build/functions-source/ and build/functions-source.zip
    python -m pipeline.functions_source --with-model    with the released bundle, for a `predict` without MODEL_URI

Google's buildpack wants main.py and requirements.txt at the root. The same files give the same bytes, so
that Terraform deploys again only when something has changed.
"""

import argparse
import shutil
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline import console
from pipeline.errors import BrokenBundle
from pipeline.paths import MODELS

TARGET = Path("build/functions-source")
_OLDEST_TIME = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644 << 16


def main(arguments: Sequence[str]) -> str:
    """Write folder and zip, and say where."""
    options = _parse(arguments)
    files = source_files(Path())
    if options.with_model:
        files = {**files, **model_files(MODELS)}
    write_folder(files, TARGET)
    archive = TARGET.with_suffix(".zip")
    write_zip(files, archive)
    return f"{TARGET}/: {len(files)} files, the same in {archive}"


def source_files(project: Path) -> dict[str, bytes]:
    """The functions' code and their locked requirements, by their path in the source folder."""
    package = project / "functions"
    files = {path.relative_to(project).as_posix(): path.read_bytes() for path in package.rglob("*.py")}
    files["main.py"] = files.pop("functions/main.py")
    files["requirements.txt"] = (project / "requirements" / "functions.txt").read_bytes()
    return files


def model_files(models: Path) -> dict[str, bytes]:
    """The released bundle, by its path in the source folder.

    Raises:
        BrokenBundle: there is none, or it is damaged.
    """
    from pipeline.install import copy_contents, holds_bundle, load_bundle

    if not holds_bundle(models):
        raise BrokenBundle(f"{models}/ holds no bundle; make one with `make train`")
    load_bundle(models)
    return {f"models/{name}": content for name, content in copy_contents(models).items()}


def write_folder(files: Mapping[str, bytes], folder: Path) -> None:
    """Make `folder` hold these files and no others."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_zip(files: Mapping[str, bytes], archive: Path) -> None:
    """Write a zip whose bytes depend on these files only: not on their times, nor on a machine's zlib."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _OLDEST_TIME)
            entry.create_system, entry.external_attr = 3, _REGULAR_FILE
            file.writestr(entry, files[name])


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make functions-source", description="Write the functions' source folder.")
    parser.add_argument("--with-model", action="store_true", help=f"add the released bundle in {MODELS}/")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
