"""Tables, parameters and projects for the tests of the pipeline."""

import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from functions.bundle.storage import read_object
from pipeline.data import check_table
from pipeline.params import parse_params
from pipeline.source import read_cells
from pipeline.split import split

ROOT = Path(__file__).resolve().parents[2]
TRAINING_SIDE = ("data/raw", "functions", "pipeline", "champion", ".dvc", ".dvcignore", "dvc.yaml", "params.yaml")
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.com")


class Project:
    """A copy of the project's training side, in which commands are run as a user would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        names = ("MLFLOW_TRACKING_URI", "STORAGE_EMULATOR_HOST")
        environment = {key: value for key, value in os.environ.items() if key not in names}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        environment |= {"DVC_NO_ANALYTICS": "1"} | variables
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def set(self, **values) -> None:
        """Set values in params.yaml: section__key=value."""
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        for name, value in values.items():
            *sections, key = name.split("__")
            place = content
            for section in sections:
                place = place[section]
            place[key] = value
        path.write_text(yaml.safe_dump(content))

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()

    def folder_content(self, path: str) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (self.folder / path).iterdir()}


def copy_training_side(folder: Path) -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    for name in TRAINING_SIDE:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            left_out = shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local", "*.onnx", "me*.json")
            shutil.copytree(source, target, ignore=left_out)
        else:
            shutil.copy(source, target)
    shutil.copy(ROOT / ".gitignore", folder)
    return Project(folder)


@pytest.fixture(scope="session")
def reproduced(shared_folder):
    """A Git and DVC repository in which `dvc repro` has run once. Tests that change it copy it first."""
    from filelock import FileLock

    folder = shared_folder / "reproduced"
    with FileLock(f"{folder}.lock"):
        project = Project(folder)
        if not (folder / "done").exists():
            copy_training_side(folder)
            project.run("git", "init", "--quiet")
            project.run("dvc", "repro")
            project.run("git", "add", "--all")
            project.run(*GIT, "commit", "--quiet", "--message", "all")
            (folder / "done").touch()
    return project


@pytest.fixture
def copied():
    """Copies the project's training side to a folder, without running anything."""
    return copy_training_side


@pytest.fixture
def project(reproduced, tmp_path):
    """A copy of the reproduced repository that a test may change."""
    shutil.copytree(reproduced.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


@pytest.fixture(scope="session")
def default_params():
    """The decoded params.yaml of the project."""
    return yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.fixture
def make_params(default_params):
    """Params with changes: make_params(train={"estimator": ...}, data={"scale": True})."""

    def make(**sections):
        content = copy.deepcopy(default_params)
        content["data"]["source"] = str(ROOT / content["data"]["source"])
        for section, values in sections.items():
            if section == "train":
                content["train"] = values
            else:
                content[section] |= values
        return parse_params(content)

    return make


@pytest.fixture
def iris(make_params):
    """Training and test rows of the default data set."""
    data = make_params().data
    return split(check_table(read_cells(data.source, read_object), data), 0.2, 42, 5)


@pytest.fixture
def generator():
    return np.random.default_rng(7)
