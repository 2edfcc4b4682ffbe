"""`make terraform-image`, with programs in place of terraform and gcloud, on a state as builds write it."""

import json
import os
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from pipeline.ci.deployment import Release

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/iris-api@sha256:2222"
TERRAFORM = """#!/usr/bin/env bash
[[ $* == "-chdir=terraform output -raw bucket_name" ]] && echo iris-test-ml-models
"""
GCLOUD = """#!/usr/bin/env bash
[[ $* == "storage cat gs://iris-test-ml-models/deployment/state.json" ]] && cat "$STATE"
"""


@pytest.fixture
def project(tmp_path):
    """A folder that was bootstrapped with another image."""
    (tmp_path / "terraform").mkdir()
    shutil.copy(ROOT / "terraform/serving-image.sh", tmp_path / "terraform")
    (tmp_path / "terraform/image.auto.tfvars").write_text('docker_image = "first"\n', encoding="utf-8")
    for name, text in (("terraform", TERRAFORM), ("gcloud", GCLOUD)):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    return tmp_path


def serving_image(project):
    return subprocess.run(
        [shutil.which("bash"), project / "terraform/serving-image.sh"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": f"{project / 'bin'}:{os.environ['PATH']}", "STATE": str(project / "state.json")},
    )


def test_image_that_serves_is_what_is_added_next(project):
    current = Release(revisions={"europe-west1": "iris-api-00007-abc"}, image=IMAGE, pointer=None)
    previous = Release(revisions={}, image="before", pointer=None)
    state = {"current": asdict(current), "previous": asdict(previous)}
    (project / "state.json").write_text(json.dumps(state, indent=2), encoding="utf-8")
    result = serving_image(project)
    assert result.returncode == 0, result.stderr
    written = (project / "terraform/image.auto.tfvars").read_text(encoding="utf-8")
    assert written == result.stdout == f'docker_image = "{IMAGE}"\n'


def test_image_stays_when_no_build_has_deployed_yet(project):
    result = serving_image(project)
    assert result.returncode == 1
    assert "before the first deployment by a build docker_image is what serves" in result.stderr
    assert (project / "terraform/image.auto.tfvars").read_text(encoding="utf-8") == 'docker_image = "first"\n'
