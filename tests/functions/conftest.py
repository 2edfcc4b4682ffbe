"""The real app around a really trained model, and small models of other kinds."""

import io
import json
import socket
import subprocess
import time
from pathlib import Path

import pytest

from functions.access_log import AccessLog
from functions.app import create_app
from functions.bundle.files import METADATA_FILE, METRICS_FILE, MODEL_FILE, digest, encode
from functions.bundle.metadata import Distribution, Feature, GoldenExample, Metadata, Metrics
from functions.champion import Champion
from functions.model import Model
from functions.settings import Settings

KEY = "an-example-key-of-more-than-32-characters"
UNLIMITED = {
    "rate_limit_predict": 10**6,
    "rate_limit_health": 10**6,
    "rate_limit_model_info": 10**6,
    "rate_limit_auth_failures": 10**6,
}


@pytest.fixture(scope="session")
def model(bundle_folder):
    return Model.from_folder(bundle_folder, max_rows=100_000)


@pytest.fixture(scope="session")
def rows(model):
    """The golden examples' rows, the first of each class."""
    return [example.instance for example in model.metadata.golden_examples]


@pytest.fixture(scope="session")
def row(rows):
    return rows[0]


@pytest.fixture
def log():
    """Where the access log of `make_client`'s apps goes."""
    return io.BytesIO()


@pytest.fixture
def make_app(model, log):
    """Make an app; without limits that a test does not ask for, and with the Iris model unless told otherwise."""

    def make(model=model, **changes):
        settings = Settings(**{"cors_origins": ("*",)} | UNLIMITED | changes)
        return create_app(settings, Champion(model), AccessLog(log, settings.log_level, settings.project))

    return make


@pytest.fixture
def make_client(make_app):
    """Make an app as `make_app` does, and give its client."""
    return lambda *args, **changes: make_app(*args, **changes).test_client()


@pytest.fixture
def client(make_client):
    """A client of an app without keys."""
    return make_client()


@pytest.fixture
def problem():
    """Check that a response is a complete problem of that status, and give its body."""

    def check(response, status):
        assert response.status_code == status, response.text
        assert response.content_type == "application/problem+json"
        body = response.json
        assert set(body) - {"errors"} == {"type", "title", "status", "detail", "instance"}
        assert body["status"] == status
        assert body["type"].startswith("urn:mlops-core:problem:")
        assert body["instance"] == response.headers["X-Request-ID"]
        for private in ("Traceback", 'File "', ".py", str(Path.cwd()), KEY):
            assert private not in response.text
        return body

    return check


@pytest.fixture
def log_lines(log):
    """Read the access log so far: every line of it is JSON."""
    return lambda: [json.loads(line) for line in log.getvalue().splitlines()]


@pytest.fixture(scope="session")
def fit_bundle():
    """Fit a small classifier to `columns` and `labels`, and write it as a bundle to `folder`."""

    def fit(folder, columns, labels, nullable=(), bounds=(-100.0, 100.0)):
        import numpy as np
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        names = list(columns)
        values = np.array([columns[name] for name in names], dtype=np.float32).T
        estimator = make_pipeline(SimpleImputer(), LogisticRegression()).fit(values, labels)
        exported = to_onnx(
            estimator,
            initial_types=[("input", FloatTensorType([None, len(names)]))],
            options={id(estimator): {"zipmap": False}},
        ).SerializeToString()
        classes = estimator.classes_.tolist()
        examples = [
            GoldenExample(
                instance=dict(zip(names, values[index].tolist(), strict=True)),
                prediction=estimator.predict(values[index : index + 1]).tolist()[0],
                probabilities=estimator.predict_proba(values[index : index + 1])[0].tolist(),
            )
            for index in (0, len(labels) - 1)
        ]
        features = [
            Feature(
                name=name,
                bounds=bounds,
                nullable=name in nullable,
                reference=Distribution(edges=[0.0], counts=[1, len(labels) - 1]),
            )
            for name in names
        ]
        metadata = Metadata(
            format=1,
            name="Small",
            version="1",
            task="classification",
            features=features,
            target="label",
            target_names=classes,
            target_reference=[len(labels)] + [0] * (len(classes) - 1),
            model_type="LogisticRegression",
            params={},
            n_features=len(names),
            n_samples=len(labels),
            mlflow_run_id="run",
            mlflow_experiment_name="experiment",
            model_artifact_path="1/models/m-1/artifacts",
            created_at="2026-01-01T00:00:00+00:00",
            git_commit=None,
            data_digest="0" * 64,
            libraries={},
            golden_examples=examples,
            model_sha256=digest(exported),
        )
        metrics = Metrics(
            accuracy=1.0,
            precision=1.0,
            recall=1.0,
            f1_score=1.0,
            n_samples=len(labels),
            per_class={},
            confusion_matrix=[],
            confidence_intervals={},
        )
        folder.mkdir(parents=True)
        (folder / MODEL_FILE).write_bytes(exported)
        (folder / METADATA_FILE).write_bytes(encode(metadata))
        (folder / METRICS_FILE).write_bytes(encode(metrics))
        return folder

    return fit


@pytest.fixture(scope="session")
def two_features():
    """Forty rows of two features that separate two classes."""
    return {"a": [float(i) for i in range(-20, 20)], "b": [float(i % 7) for i in range(40)]}


@pytest.fixture(scope="module")
def redis_port(require_program, pick_port, tmp_path_factory):
    """The port of a Redis of this module's own."""
    port = pick_port()
    command = [require_program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, cwd=tmp_path_factory.mktemp("redis"), stdout=subprocess.DEVNULL) as process:
        try:
            _await_port(port, process)
            yield port
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def await_port():
    """Wait until somebody listens on a port."""
    return _await_port


def _await_port(port, process):
    for _ in range(200):
        assert process.poll() is None, "it ended at once"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")
