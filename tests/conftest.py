"""What all tests share: a clean environment, and a model trained once by the real pipeline."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from functions.settings import variables

ROOT = Path(__file__).resolve().parents[1]
TRAINING_SOURCES = ("data/raw", "functions", "pipeline", "params.yaml", "champion")
# how fast a shared machine makes examples says nothing of the code
hypothesis_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("untimed")
STAGES = ("prepare", "train", "evaluate", "release")


@pytest.fixture(autouse=True)
def _isolated_environment(monkeypatch):
    """No variable of the developer's shell reaches a test."""
    for name in [variable.name for variable in variables()] + ["MLFLOW_TRACKING_URI"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory, worker_id):
    """A folder that all worker processes of one test run see."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


def train_in(folder: Path) -> Path:
    """Copy the project's training side to `folder` and run the pipeline's stages there."""
    folder.mkdir(parents=True)
    for source in TRAINING_SOURCES:
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        (folder / source).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / source, folder / source)
    for stage in STAGES:
        subprocess.run([sys.executable, "-m", f"pipeline.{stage}"], cwd=folder, check=True, env=dict(os.environ))
    return folder


@pytest.fixture(scope="session")
def trained_project(shared_folder):
    """A copy of the project in which the pipeline has run with the default parameters."""
    from filelock import FileLock

    folder = shared_folder / "trained"
    with FileLock(str(folder) + ".lock"):
        done = folder / "models" / "metadata.json"
        return folder if done.exists() else train_in(folder)


@pytest.fixture(scope="session")
def bundle_folder(trained_project):
    """The default model's released bundle; tests that change it copy it first."""
    return trained_project / "models"


@pytest.fixture(scope="session")
def require_program():
    """The path of a program; where it is not installed the test is skipped, but never in CI."""

    def require(name):
        path = shutil.which(name)
        if path is None:
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI has no {name}")
            pytest.skip(f"{name} is not installed")
        return path

    return require


@pytest.fixture(scope="session")
def pick_port():
    """Give ports of the loopback address that nobody listens on."""

    def pick():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return pick


@pytest.fixture
def free_port(pick_port):
    """A port of the loopback address that nobody listens on."""
    return pick_port()
