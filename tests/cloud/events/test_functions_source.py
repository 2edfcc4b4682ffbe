"""The source folder, installed into an empty environment, and each of its functions served from it."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytestmark = pytest.mark.cloud

ROOT = Path(__file__).resolve().parents[3]
STATE = "failover/state.json"


def make_source(project, *arguments):
    """`make functions-source` in that folder; gives the folder and the zip that it wrote."""
    command = ["make", "-f", str(ROOT / "Makefile"), "functions-source", f"VENV={sys.prefix}", *arguments]
    subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    return project / "build" / "functions-source", project / "build" / "functions-source.zip"


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def project(trained_project, tmp_path):
    """A trained project of the test's own."""
    folder = tmp_path / "project"
    shutil.copytree(trained_project, folder)
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    return folder


@pytest.fixture(scope="module")
def deployed(trained_project, tmp_path_factory):
    """The source with the model, unpacked from its zip, and an environment that has its requirements and no more."""
    folder = tmp_path_factory.mktemp("deployed")
    project, source, environment = folder / "project", folder / "workspace", folder / "environment"
    shutil.copytree(trained_project, project)
    shutil.copytree(ROOT / "requirements", project / "requirements")
    _, archive = make_source(project, "ARGS=--with-model")
    with zipfile.ZipFile(archive) as file:
        file.extractall(source)
    uv, python = Path(sys.executable).with_name("uv"), environment / "bin" / "python"
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, environment],
        [uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", source / "requirements.txt"],
    ):
        subprocess.run(command, cwd=folder, check=True, env=dict(os.environ))
    return source, python


def test_source_holds_the_functions_and_nothing_else(project):
    (project / "functions" / "__pycache__").mkdir(exist_ok=True)
    (project / "functions" / "__pycache__" / "app.pyc").write_bytes(b"")
    (project / "functions" / ".env").write_text("API_KEY=a-key-of-somebody\n")
    folder, archive = make_source(project)
    files = content(folder)
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "functions").rglob("*.py")}
    assert set(files) == code - {"functions/main.py"} | {"main.py", "requirements.txt"}
    assert files["main.py"] == (ROOT / "functions" / "main.py").read_bytes()
    assert files["requirements.txt"] == (ROOT / "requirements" / "functions.txt").read_bytes()
    with zipfile.ZipFile(archive) as file:
        assert {name: file.read(name) for name in file.namelist()} == files
        assert file.namelist() == sorted(files)
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_same_files_give_the_same_zip_and_a_leftover_file_goes(project):
    folder, archive = make_source(project)
    before = archive.read_bytes()
    for path in (project / "functions").rglob("*.py"):
        os.utime(path, (0, time.time()))
        path.chmod(0o600)
    (folder / "leftover.py").touch()
    make_source(project)
    assert archive.read_bytes() == before
    assert not (folder / "leftover.py").exists()
    (project / "functions" / "logs.py").write_text("# changed\n")
    make_source(project)
    assert archive.read_bytes() != before


def test_source_with_the_model_holds_the_released_bundle(project):
    folder, _ = make_source(project, "ARGS=--with-model")
    assert content(folder / "models") == content(project / "models")


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_source_with_a_model_that_is_not_sound_is_refused(project, damage):
    model = project / "models"
    if damage == "gone":
        shutil.rmtree(model)
    else:
        (model / "model.onnx").write_bytes(b"not a model")
    command = [sys.executable, "-m", "pipeline.functions_source", "--with-model"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: models/")


def test_environment_has_what_the_functions_need_and_nothing_of_training(deployed):
    _, python = deployed
    names = subprocess.run(
        [python, "-c", "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {"functions-framework", "google-cloud-build", "google-cloud-storage", "onnxruntime"} <= set(names)
    assert not {"scikit-learn", "mlflow", "dvc", "pytest", "google-cloud-compute", "mlops-core"} & set(names)


def test_predict_answers_like_the_service(deployed, serve_function):
    source, python = deployed
    function = serve_function("predict", source=source, python=python)
    example = json.loads((source / "models" / "metadata.json").read_text())["golden_examples"][0]
    status, body = function.ask(
        "POST", "/predict", json.dumps(example["instance"]), {"Content-Type": "application/json"}
    )
    assert status == 200
    assert json.loads(body)["prediction"] == example["prediction"]
    assert function.ask("GET", "/health/ready")[0] == 200
    assert function.ask("GET", "/nothing")[0] == 404


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_retrain_starts_a_build(google, deployed, serve_function, mode):
    source, python = deployed
    function = serve_function("retrain", source=source, python=python, **google.retrain_settings)
    attributes = {
        "id": "1",
        "source": "//storage.googleapis.com/projects/_/buckets/data-bucket",
        "subject": "objects/data/iris.csv",
        "type": "google.cloud.storage.object.v1.finalized",
        "time": datetime.now(UTC).isoformat(),
    }
    data = {"bucket": "data-bucket", "name": "data/iris.csv", "generation": "7", "metageneration": "1"}
    assert function.deliver(attributes, data, mode)[0] == 200
    (build,) = google.cloud_build.builds
    assert build.substitutions["_DATA_SOURCE"] == "gs://data-bucket/data/iris.csv"


def tick(age_seconds=0):
    """An event of the Scheduler, by way of Pub/Sub."""
    time = datetime.fromtimestamp(datetime.now(UTC).timestamp() - age_seconds, UTC).isoformat()
    attributes = {
        "id": "2070443601311540",
        "source": "//pubsub.googleapis.com/projects/example/topics/failover",
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "time": time,
    }
    message = {
        "attributes": {},
        "data": base64.b64encode(b"tick").decode(),
        "messageId": "2070443601311540",
        "publishTime": time,
    }
    return attributes, {"subscription": "projects/example/subscriptions/failover", "message": message}


def test_fail_over_turns_the_traffic_to_the_vm(google, deployed, serve_function):
    source, python = deployed
    state = {"active": "cloud_run", "since": "2026-01-01T00:00:00Z", "reason": "", "bad_rounds": 1}
    google.object(STATE).upload_from_string(json.dumps(state | {"checked_at": datetime.now(UTC).isoformat()}))
    google.balancer.status["run"] = 503
    function = serve_function("fail_over", source=source, python=python, **google.failover_settings)
    assert function.ask("POST", "/", "{}", {"Content-Type": "application/json"})[0] == 400
    assert function.deliver(*tick(age_seconds=61))[0] == 200
    assert google.balancer.requests == [], "an event of a backlog makes no round"
    assert function.deliver(*tick())[0] == 200
    (alert,) = [line for line in function.log() if line["severity"] == "ALERT"]
    assert alert["to_backend"] == "vm"
    assert google.compute.switches == ["projects/example/global/urlMaps/fallback"]
    assert json.loads(google.object(STATE).download_as_bytes())["active"] == "vm"


def test_fail_over_without_its_settings_says_which_are_missing(google, deployed, serve_function):
    source, python = deployed
    function = serve_function("fail_over", source=source, python=python)
    assert function.deliver(*tick())[0] == 500
    assert "FAILOVER_PROXY: is not set" in function.output
