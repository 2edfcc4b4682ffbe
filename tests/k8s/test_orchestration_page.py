"""docs/orchestration.md names what is there. Its commands are checked with those of the other pages, in tests/docs."""

import re
import shlex
import subprocess
import sys

import pytest

from tests.docs.pages import blocks, page
from tests.k8s.manifests import ROOT

pytestmark = pytest.mark.k8s

PAGE = page("docs/orchestration.md")
LINES = [line.partition("#")[0].strip() for block in blocks(PAGE, "sh") for line in block.splitlines()]


def test_page_shows_the_ways_that_it_promises():
    for needed in ("make k8s-setup-kind", "make k8s-deploy", "make k8s-test", "make k8s-deploy K8S_OVERLAY=gke"):
        assert needed in LINES


def test_paths_of_the_repository_exist():
    named = set(re.findall(r"\bk8s/[\w./-]*\w", PAGE)) - {"k8s/secret.yaml"}
    named |= {
        f"k8s/{place}" for place in re.findall(r"^\| `((?:base|overlays|components)[\w/]*)/?` \|", PAGE, re.MULTILINE)
    }
    assert len(named) > 8
    missing = [path for path in named if not (ROOT / path).exists()]
    assert missing == []


def test_every_component_is_named():
    for component in (ROOT / "k8s/components").iterdir():
        assert f"`components/{component.name}`" in PAGE


def test_scoring_command_runs(trained_project, tmp_path):
    [words] = [shlex.split(line) for line in LINES if "pipeline.score" in line]
    output = tmp_path / "predictions.csv"
    arguments = [str(output) if word == "predictions.csv" else word for word in words[1:]]
    subprocess.run([sys.executable, *arguments], cwd=trained_project, check=True, timeout=120)
    assert len(output.read_text().splitlines()) == 151
