"""POST /predict and GET /model/info with really trained models."""

import io
import json
from random import Random

import pytest

from functions.model import Model


def assert_is_prediction(prediction, model):
    assert set(prediction) == {"prediction", "confidence", "probabilities"}
    probabilities = prediction["probabilities"]
    assert list(probabilities) == model.target_keys
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert prediction["confidence"] == max(probabilities.values())


def test_row_is_answered_as_the_model_answered_in_training(client, model):
    for golden in model.metadata.golden_examples:
        response = client.post("/predict", json=golden.instance)
        assert response.status_code == 200
        assert response.content_type == "application/json"
        assert response.headers["X-Model-Version"] == model.version
        prediction = response.json
        assert_is_prediction(prediction, model)
        assert prediction["prediction"] == golden.prediction
        assert list(prediction["probabilities"].values()) == pytest.approx(golden.probabilities, abs=2e-5)


def test_instances_of_objects_and_lists_are_answered_in_order(client, model, rows):
    mixed = [[row[name] for name in model.metadata.feature_names] for row in rows[:1]] + rows[1:]
    response = client.post("/predict", json={"instances": mixed, "parameters": {"top_k": 1}})
    assert response.status_code == 200
    assert response.headers["X-Model-Version"] == model.version
    assert set(response.json) == {"predictions"}
    found = [prediction["prediction"] for prediction in response.json["predictions"]]
    assert found == [golden.prediction for golden in model.metadata.golden_examples]


def test_batch_equals_single_rows(client, model, rows):
    random = Random(42)
    varied = [{name: value * random.uniform(0.5, 1.4) for name, value in row.items()} for row in rows * 20]
    batch = client.post("/predict", json={"instances": varied}).json["predictions"]
    assert batch == [client.post("/predict", json=row).json for row in varied]
    for prediction in batch:
        assert_is_prediction(prediction, model)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_content_type_is_taken(client, row, content_type):
    assert client.post("/predict", data=json.dumps(row), content_type=content_type).status_code == 200


def test_keys_may_be_spelled_with_escapes(client, row):
    body = json.dumps({"instances": [row]}).replace("i", "\\u0069", 1)
    assert client.post("/predict", data=body, content_type="application/json").status_code == 200


def test_batch_of_the_most_rows_is_answered_and_one_more_refused(bundle_folder, make_client, problem, row):
    client = make_client(Model.from_folder(bundle_folder, max_rows=3))
    assert len(client.post("/predict", json={"instances": [row] * 3}).json["predictions"]) == 3
    body = problem(client.post("/predict", json={"instances": [row] * 4}), 413)
    assert "4 instances are more than the 3" in body["detail"]


def chunked(body):
    """A body without Content-Length, as a server hands on one that comes in chunks."""
    return {
        "input_stream": io.BytesIO(body),
        "environ_overrides": {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        "content_type": "application/json",
    }


@pytest.mark.parametrize("in_chunks", [False, True])
@pytest.mark.parametrize(("size", "status"), [(2000, 200), (2001, 413), (100_000, 413)])
def test_body_of_the_most_bytes_is_answered_and_one_more_refused(make_client, row, in_chunks, size, status):
    body = json.dumps(row).encode().ljust(size)
    how = chunked(body) if in_chunks else {"data": body, "content_type": "application/json"}
    response = make_client(max_request_bytes=2000).post("/predict", **how)
    assert response.status_code == status
    if status == 413:
        assert response.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("labels", "values", "kind"),
    [([3, 7], [3, 7], int), ([False, True], [False, True], bool), (["3", "true"], ["3", "true"], str)],
    ids=["integer", "boolean", "text"],
)
def test_label_keeps_its_json_type(tmp_path, fit_bundle, two_features, make_client, labels, values, kind):
    import numpy as np

    folder = fit_bundle(tmp_path / "bundle", two_features, np.array([labels[0]] * 20 + [labels[1]] * 20))
    model = Model.from_folder(folder, max_rows=10)
    client = make_client(model)
    rows = [{"a": -20, "b": 1}, {"a": 19, "b": 1}]
    for row, label in zip(rows, values, strict=True):
        prediction = client.post("/predict", json=row).json
        assert type(prediction["prediction"]) is kind
        assert prediction["prediction"] == label
        assert list(prediction["probabilities"]) == [json.dumps(value).strip('"') for value in values]
    batch = client.post("/predict", json={"instances": rows}).json["predictions"]
    assert [prediction["prediction"] for prediction in batch] == values
    assert client.get("/model/info").json["target_names"] == values
    assert client.get("/metrics").text.count("model_predictions_total{") == 2


def test_null_is_imputed_where_the_pipeline_does(tmp_path, fit_bundle, two_features, make_client, problem):
    labels = ["low"] * 20 + ["high"] * 20
    model = Model.from_folder(fit_bundle(tmp_path / "bundle", two_features, labels, nullable=["b"]), max_rows=10)
    client = make_client(model)
    assert client.post("/predict", json={"a": -20, "b": None}).json["prediction"] == "low"
    assert client.post("/predict", json={"instances": [[19, None]]}).json["predictions"][0]["prediction"] == "high"
    body = problem(client.post("/predict", json={"a": None, "b": 1}), 422)
    assert body["errors"] == [{"field": "a", "message": "must be a number, not null"}]


def test_other_features_make_another_api(tmp_path, fit_bundle, two_features, make_client, problem):
    names = ['say "x"', "größe (cm)"]
    columns = dict(zip(names, two_features.values(), strict=True))
    labels = ["low"] * 20 + ["high"] * 20
    client = make_client(Model.from_folder(fit_bundle(tmp_path / "bundle", columns, labels), max_rows=10))
    assert client.post("/predict", json={names[0]: -20, names[1]: 1}).json["prediction"] == "low"
    assert client.get("/model/info").json["feature_names"] == names
    document = client.get("/openapi.json").json
    assert list(document["components"]["schemas"]["Instance"]["properties"]) == names
    body = problem(client.post("/predict", json={names[0]: 1, names[1]: "x"}), 422)
    assert body["errors"] == [{"field": names[1], "message": "must be a number, not a string"}]


def test_vertex_ai_predicts_under_its_own_path(make_client, row):
    client = make_client(vertex_ai=True, predict_route="/v1/models/7:predict", health_route="/v1/models/7")
    assert client.post("/v1/models/7:predict", json={"instances": [row]}).json["predictions"]
    assert client.post("/predict", json=row).status_code == 200
    assert client.get("/v1/models/7").json == {"status": "ready"}
    assert client.get("/health/ready").status_code == 200


@pytest.mark.parametrize(("health", "predict"), [("/health", "/predict"), ("/", "/"), ("/health/ready", "/health")])
def test_vertex_ai_may_choose_paths_that_exist(make_client, row, health, predict):
    client = make_client(vertex_ai=True, health_route=health, predict_route=predict)
    assert client.get(health).status_code == 200
    assert client.post(predict, json={"instances": [row]}).status_code == 200


def test_model_info_says_all_that_the_contract_lists(client, model, bundle_folder):
    info = client.get("/model/info")
    assert info.headers["X-Model-Version"] == model.version
    metadata, metrics = model.metadata, model.metrics
    expected = {
        "name": metadata.name,
        "version": metadata.version,
        "model_type": metadata.model_type,
        "n_features": len(metadata.features),
        "n_samples": metadata.n_samples,
        "feature_names": metadata.feature_names,
        "target_names": metadata.target_names,
        "accuracy": metrics.accuracy,
        "precision": metrics.precision,
        "recall": metrics.recall,
        "f1_score": metrics.f1_score,
        "mlflow_run_id": metadata.mlflow_run_id,
        "data_digest": metadata.data_digest,
        "model_sha256": metadata.model_sha256,
        "params": metadata.params,
        "source": str(bundle_folder),
    }
    assert {name: info.json[name] for name in expected} == expected


def test_root_names_service_and_model_and_its_links_work(client, model, row):
    body = client.get("/").json
    assert body["name"] == "mlops-core"
    assert body["version"]
    assert body["model"] == {"name": model.metadata.name, "version": model.version}
    for name, path in body["links"].items():
        response = client.post(path, json=row) if name == "predict" else client.get(path)
        assert response.status_code == 200, path


def test_service_without_model_says_so(make_client, problem, row):
    client = make_client(None)
    assert client.get("/").json["model"] is None
    problem(client.post("/predict", json=row), 503)
    problem(client.get("/model/info"), 503)
