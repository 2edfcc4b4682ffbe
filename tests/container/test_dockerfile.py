"""The Dockerfile as checkers see it, and whether both processors' packages exist."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.container

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
SCANNERS = ROOT / ".venv-scanners" / "bin"


def check(*command):
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    return result.returncode, result.stdout + result.stderr


def test_hadolint_has_nothing_to_say():
    assert check(str(SCANNERS / "hadolint"), "Dockerfile") == (0, "")


def test_checkov_fails_no_check():
    options = ["--framework", "dockerfile", "--compact", "--skip-download"]
    code, output = check(str(SCANNERS / "checkov"), "--file", "Dockerfile", *options)
    assert code == 0, output
    assert "Failed checks: 0, Skipped checks: 0" in output


@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_every_locked_package_of_serving_has_a_wheel(processor, tmp_path):
    """No emulator is needed to know that an image can be built without a compiler."""
    code, output = check(
        *(str(PROGRAMS / "uv"), "pip", "install", "--dry-run", "--target", str(tmp_path)),
        *("--python-platform", f"{processor}-manylinux_2_28", "--python-version", "3.13"),
        *("--only-binary", ":all:", "--require-hashes", "--requirement", "requirements/serving.txt"),
    )
    assert code == 0, output
    assert "onnxruntime==" in output
