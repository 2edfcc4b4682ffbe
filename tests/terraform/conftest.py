"""Terraform as a user runs it, without a project: over mocks."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "terraform"


def program(name: str) -> str:
    """The path of a program; where it is not installed the test is skipped, but never in CI."""
    path = shutil.which(name)
    if path is None:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing(f"{name} is not installed")
    return path


@pytest.fixture(scope="session")
def find_program():
    """What `program` does, for tests."""
    return program


@pytest.fixture(scope="session")
def terraform(tmp_path_factory):
    """Runs a terraform command in terraform/, apart from the state and the provider of a user's own project."""
    command = [program("terraform"), f"-chdir={FOLDER}"]
    environ = os.environ | {"TF_DATA_DIR": str(tmp_path_factory.mktemp("terraform")), "TF_IN_AUTOMATION": "1"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *words], capture_output=True, text=True, timeout=420, check=False, env=environ)

    # With a provider given by TF_CLI_CONFIG_FILE there is nothing to fetch.
    prepare = ["get"] if "TF_CLI_CONFIG_FILE" in os.environ else ["init", "-backend=false", "-input=false"]
    prepared = run(*prepare)
    assert prepared.returncode == 0, prepared.stderr
    return run
