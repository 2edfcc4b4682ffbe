"""The configuration as Terraform sees it: format, types, references, and its own tests over mocks."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "terraform"

pytestmark = pytest.mark.terraform


def test_format_is_terraforms_own(terraform):
    result = terraform("fmt", "-check", "-recursive", "-diff")
    assert result.returncode == 0, result.stdout


def test_configuration_is_valid(terraform):
    result = terraform("validate", "-no-color")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", sorted(FOLDER.glob("tests/*.tftest.hcl")), ids=lambda path: path.name)
def test_runs_over_mocks_pass(terraform, path):
    result = terraform("test", "-no-color", f"-filter=tests/{path.name}")
    assert result.returncode == 0, result.stdout + result.stderr
    runs = len(re.findall(r"^run ", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert f"{runs} passed, 0 failed" in result.stdout
