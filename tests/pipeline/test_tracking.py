import json
import os
import re

import pytest

from functions.bundle.files import digest, read_metadata
from functions.bundle.storage import read_object
from pipeline.errors import TrackingError
from pipeline.tracking import Store, log_training, parse_store, set_champion

# MLflow's own code uses what its dependencies deprecate.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::sqlalchemy.exc.SADeprecationWarning")

LOCAL = "sqlite:///mlflow.db"


@pytest.mark.parametrize(
    ("uri", "store"),
    [
        (None, Store(LOCAL)),
        ("", Store(LOCAL)),
        ("gs://bucket/mlruns/", Store(LOCAL, "gs://bucket/mlruns")),
        ("https://mlflow.example.com", Store("https://mlflow.example.com")),
        ("sqlite:////data/mlflow.db", Store("sqlite:////data/mlflow.db")),
        ("postgresql+psycopg2://host/db", Store("postgresql+psycopg2://host/db")),
    ],
)
def test_tracking_uri_is_a_store_or_an_artifact_root(uri, store):
    assert parse_store(uri) == store


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "./mlruns", "s3://bucket"])
def test_tracking_uri_that_mlflow_keeps_no_runs_in_is_refused(uri):
    with pytest.raises(TrackingError, match=re.escape(f"MLFLOW_TRACKING_URI={uri}: MLflow keeps no runs there")):
        parse_store(uri)


@pytest.fixture
def run(reproduced):
    """The run of the reproduced project, with its client and the bundle's metadata."""
    import mlflow

    metadata = read_metadata(reproduced.folder / "models/metadata.json")
    store = f"sqlite:///{reproduced.folder}/mlflow.db"
    client = mlflow.MlflowClient(store, store)
    return client.get_run(metadata.mlflow_run_id), client, metadata


def test_run_has_parameters_scores_plots_and_origin(run, reproduced):
    found, client, metadata = run

    assert client.get_experiment(found.info.experiment_id).name == "iris-classification"
    assert found.info.status == "FINISHED"
    assert found.data.params["train.n_estimators"] == "200"
    assert found.data.params["data.test_size"] == "0.2"
    assert found.data.tags["data_digest"] == metadata.data_digest
    assert found.data.tags["git_commit"] == "none"
    assert {item.path for item in client.list_artifacts(found.info.run_id, "plots")} == {
        "plots/confusion.png",
        "plots/importance.png",
        "plots/roc.png",
    }
    scores = json.loads(reproduced.read("artifacts/metrics.json"))
    for name in ("accuracy", "precision", "recall", "f1_score"):
        assert found.data.metrics[name] == pytest.approx(scores[name])


def test_run_has_both_models_with_signature_and_example(run, reproduced):
    from mlflow.models import Model

    _, client, metadata = run
    models = client.search_logged_models(experiment_ids=["1"])
    assert {model.name for model in models} == {"onnx", "sklearn"}
    for model in models:
        info = Model.load(model.artifact_location)
        assert info.signature.inputs is not None
        assert info.signature.outputs is not None
        assert info.saved_input_example_info is not None
    stored = reproduced.folder / "mlruns" / metadata.model_artifact_path / "model.onnx"
    assert digest(stored.read_bytes()) == metadata.model_sha256


def test_registered_version_is_the_model_that_serves(run):
    _, client, metadata = run
    [version] = client.search_model_versions(f"name = '{metadata.name}'")

    assert version.run_id == metadata.mlflow_run_id
    assert client.get_logged_model(version.source.removeprefix("models:/")).name == "onnx"


def test_alias_of_an_unknown_run_is_refused(reproduced, tmp_path):
    with pytest.raises(TrackingError, match="has no version of IrisClassifier from run unknown"):
        set_champion(Store(f"sqlite:///{reproduced.folder}/mlflow.db"), "IrisClassifier", "unknown")


def test_store_out_of_reach_is_reported(make_params, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    with pytest.raises(TrackingError, match=r"MLflow can't use http://127\.0\.0\.1:9: .*check MLFLOW_TRACKING_URI"):
        log_training(Store("http://127.0.0.1:9"), make_params().tracking, None, None, params={}, metrics={}, figures={})


def test_artifact_root_that_an_experiment_does_not_have_is_refused(make_params, reproduced):
    store = Store(f"sqlite:///{reproduced.folder}/mlflow.db", "gs://bucket/mlruns")

    with pytest.raises(TrackingError, match=r"'iris-classification' keeps its artifacts in .*mlruns/1"):
        log_training(store, make_params().tracking, None, None, params={}, metrics={}, figures={})
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_training_with_a_bucket_keeps_its_artifacts_there(project, bucket):
    (project.folder / "mlflow.db").unlink()
    environment = {
        "MLFLOW_TRACKING_URI": "gs://bucket/mlruns/",
        "STORAGE_EMULATOR_HOST": os.environ["STORAGE_EMULATOR_HOST"],
    }
    project.run("python", "-m", "pipeline.train", **environment)

    metadata = read_metadata(project.folder / "artifacts/candidate/metadata.json")
    assert metadata.model_artifact_path.startswith("iris-classification/models/m-")
    stored = read_object(f"gs://bucket/mlruns/{metadata.model_artifact_path}/model.onnx")
    assert digest(stored) == metadata.model_sha256
