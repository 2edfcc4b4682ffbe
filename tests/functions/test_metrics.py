"""GET /metrics: what it says, who may read it, and that callers can't make it grow."""

import copy
import csv
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from functions.metrics import REFUSED, ServiceMetrics
from functions.model import Model
from functions.model_metrics import KEPT_VERSIONS, PENDING_ROWS

KEY = "an-example-key-of-more-than-32-characters"


def samples(client, **how):
    """All samples by name and labels."""
    response = client.get("/metrics", **how)
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain")
    return parsed(response.text)


def parsed(text):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_model_is_described(client, model):
    found = samples(client)
    assert found["model_loaded",] == 1
    assert found["model_info", ("run_id", model.metadata.mlflow_run_id), ("version", model.version)] == 1
    for label in model.target_keys:
        assert found["model_predictions_total", ("predicted_class", label), ("version", model.version)] == 0


def test_missing_model_is_told(make_client):
    found = samples(make_client(None))
    assert found["model_loaded",] == 0
    assert not [key for key in found if key[0] in ("model_info", "model_predictions_total")]


def test_predictions_and_their_confidence_are_counted_by_class(client, model, rows):
    client.post("/predict", json=rows[0])
    client.post("/predict", json={"instances": [*rows, rows[0]]})
    found = samples(client)
    goldens = [golden.prediction for golden in model.metadata.golden_examples]
    expected = [goldens[0], *goldens, goldens[0]]
    for label in model.target_keys:
        labels = ("predicted_class", label), ("version", model.version)
        assert found["model_predictions_total", *labels] == expected.count(label)
        assert found["model_confidence_count", *labels] == expected.count(label)
        total = found["model_confidence_sum", *labels]
        assert expected.count(label) / len(model.target_keys) <= total <= expected.count(label)


def live_values(found, feature):
    """Counted values of a feature by bin."""
    return {
        dict(key[1:])["bin"]: value
        for key, value in found.items()
        if key[0] == "model_feature_values_total" and ("feature", feature) in key
    }


def test_every_bin_is_there_from_the_start_with_its_share_in_training(client, model):
    found = samples(client)
    version = ("version", model.version)
    for feature in model.metadata.features:
        bins = [*map(str, feature.reference.edges), "+Inf", "missing"]
        assert live_values(found, feature.name) == dict.fromkeys(bins, 0)
        shares = [
            found["model_feature_reference_ratio", ("bin", name), ("feature", feature.name), version] for name in bins
        ]
        assert shares == pytest.approx([count / model.metadata.n_samples for count in (*feature.reference.counts, 0)])
        for reason in ("missing", "out_of_bounds"):
            assert found["model_feature_refused_total", ("feature", feature.name), ("reason", reason), version] == 0
    shares = [
        found["model_predictions_reference_ratio", ("predicted_class", key), version] for key in model.target_keys
    ]
    assert shares == pytest.approx([count / model.metadata.n_samples for count in model.metadata.target_reference])
    assert found["model_score", ("score", "accuracy"), version] == model.metrics.accuracy


def test_training_rows_are_counted_in_the_bins_that_training_counted_them_in(client, model, trained_project):
    """Training counts 64-bit numbers, the service the 32-bit ones that the model takes: edges must round alike."""
    with (trained_project / "data/processed/train.csv").open() as lines:
        rows = [
            {feature: float(row[feature]) for feature in model.metadata.feature_names} for row in csv.DictReader(lines)
        ]
    assert len(rows) == model.metadata.n_samples
    for row in rows[:10]:
        client.post("/predict", json=row)
    client.post("/predict", json={"instances": rows[10:60]})
    tensor = {"name": "input", "datatype": "FP32", "shape": [len(rows) - 60, 4]}
    tensor["data"] = [value for row in rows[60:] for value in row.values()]
    client.post(f"/v2/models/{model.metadata.name}/infer", json={"inputs": [tensor]})
    found = samples(client)
    for feature in model.metadata.features:
        assert list(live_values(found, feature.name).values()) == [*feature.reference.counts, 0]


def test_single_predictions_are_all_counted_whatever_waits(client, model, row):
    for number in range(1, 2 * PENDING_ROWS + 3):
        client.post("/predict", json=row)
        if number % 100 == 1:
            assert sum(live_values(samples(client), "petal_width").values()) == number
    assert sum(live_values(samples(client), "petal_width").values()) == 2 * PENDING_ROWS + 2


def test_concurrent_predictions_are_counted_exactly(make_app, model, row):
    app = make_app()

    def predict(_):
        assert app.test_client().post("/predict", json=row).status_code == 200
        app.test_client().get("/metrics")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(predict, range(600)))
    found = samples(app.test_client())
    assert sum(live_values(found, "petal_width").values()) == 600
    assert sum(value for key, value in found.items() if key[0] == "model_predictions_total") == 600


def test_missing_values_have_a_bin_where_the_model_imputes_them(make_client, fit_bundle, tmp_path, two_features):
    folder = fit_bundle(tmp_path / "small", two_features, [0] * 20 + [1] * 20, nullable=("a",))
    client = make_client(Model.from_folder(folder, max_rows=10))
    client.post("/predict", json={"a": None, "b": 1})
    client.post("/predict", json={"instances": [{"a": None, "b": 1}, {"a": 1, "b": -1}]})
    found = samples(client)
    assert live_values(found, "a") == {"0.0": 0, "+Inf": 1, "missing": 2}
    assert live_values(found, "b") == {"0.0": 1, "+Inf": 2, "missing": 0}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"sepal_length": 99}, {("sepal_length", "out_of_bounds"): 1}),
        ({"sepal_length": None}, {("sepal_length", "missing"): 1}),
        ({"sepal_length": "long"}, {}),
        ({"sepal_length": True}, {}),
        (
            {"petal_width": -1, "petal_length": 1e30},
            {("petal_width", "out_of_bounds"): 1, ("petal_length", "out_of_bounds"): 1},
        ),
    ],
)
def test_refused_values_are_counted_by_feature_and_reason(client, row, body, expected):
    assert client.post("/predict", json=row | body).status_code == 422
    assert client.post("/predict", json={"instances": [row, row | body]}).status_code == 422
    assert refused(client) == {key: 2 * count for key, count in expected.items()}


def test_absent_features_are_counted_as_missing(client, row):
    assert client.post("/predict", json={"sepal_length": 5.0}).status_code == 422
    assert refused(client) == {(name, "missing"): 1 for name in row if name != "sepal_length"}


def test_refused_tensors_are_counted_by_feature_and_reason(client, model):
    values = np.array([[99, 1, 1, 1], [np.nan, 1, 1, -5], [98, 1, 1, 1]], dtype="<f4")
    tensor = {"name": "input", "datatype": "FP32", "shape": [3, 4], "parameters": {"binary_data_size": values.nbytes}}
    head = json.dumps({"inputs": [tensor]}).encode()
    response = client.post(
        f"/v2/models/{model.metadata.name}/infer",
        data=head + values.tobytes(),
        headers={"Inference-Header-Content-Length": str(len(head))},
    )
    assert response.status_code == 400
    assert refused(client) == {
        ("sepal_length", "out_of_bounds"): 2,
        ("sepal_length", "missing"): 1,
        ("petal_width", "out_of_bounds"): 1,
    }


def refused(client):
    found = {key: value for key, value in samples(client).items() if key[0] == "model_feature_refused_total" and value}
    return {(dict(key[1:])["feature"], dict(key[1:])["reason"]): value for key, value in found.items()}


def another_version(model, version):
    """The same model, of another version."""
    other = copy.copy(model)
    other.version = version
    return other


def test_request_counts_for_the_version_that_answered_it(model, row):
    metrics = ServiceMetrics()
    old, new = another_version(model, "old"), another_version(model, "new")
    rows = np.array([list(row.values())], dtype=np.float32)
    metrics.serve_model(old)
    metrics.count_prediction(old, rows, 0, 0.9)
    metrics.serve_model(new)
    metrics.count_prediction(old, rows, 0, 0.9)
    metrics.count_prediction(new, rows, 1, 0.8)
    metrics.count_predictions(old, rows, np.array([0]), np.array([0.9], dtype=np.float32))
    found = parsed(metrics.exposition(None)[0])
    assert found["model_predictions_total", ("predicted_class", model.target_keys[0]), ("version", "old")] == 3
    assert found["model_predictions_total", ("predicted_class", model.target_keys[1]), ("version", "new")] == 1
    run = ("run_id", model.metadata.mlflow_run_id)
    assert found["model_info", run, ("version", "old")] == 0
    assert found["model_info", run, ("version", "new")] == 1


def test_many_versions_keep_the_series_bounded(model, row):
    metrics = ServiceMetrics()
    rows = np.array([list(row.values())], dtype=np.float32)
    sizes = set()
    for number in range(20):
        served = another_version(model, str(number))
        metrics.serve_model(served)
        metrics.count_prediction(served, rows, 0, 0.9)
        if number >= KEPT_VERSIONS:
            sizes.add(len(parsed(metrics.exposition(None)[0])))
    assert len(sizes) == 1
    found = parsed(metrics.exposition(None)[0])
    versions = {value for key in found for name, value in key[1:] if name == "version" and key[0].startswith("model_")}
    assert versions == {"17", "18", "19"}
    # a request that took very long, and the return of a version that was forgotten
    metrics.count_prediction(another_version(model, "3"), rows, 0, 0.9)
    metrics.serve_model(another_version(model, "18"))
    found = parsed(metrics.exposition(None)[0])
    assert found["model_predictions_total", ("predicted_class", model.target_keys[0]), ("version", "18")] == 1
    assert not [key for key in found if ("version", "3") in key]


def test_alerts_find_their_counters_at_zero(client):
    found = samples(client)
    for outcome in ("loaded", "refused", "unreachable"):
        assert found["model_reloads_total", ("outcome", outcome)] == 0
    assert found["ratelimit_storage_failures_total",] == 0
    assert found["ratelimit_storage_degraded",] == 0
    for route in ("/predict", "/model/info", "/v2/models/<name>/infer"):
        for kind in ("missing-key", "wrong-key", "too-many-requests", "no-model", "internal-error"):
            assert found["api_errors_total", ("endpoint", route), ("error_type", kind)] == 0
    for route in ("/predict", "/v2/models/<name>/infer"):
        for status in ("200", "429", "500", "503"):
            labels = ("method", "POST"), ("status", status), ("url_rule", route)
            assert found["flask_http_request_duration_seconds_count", *labels] == 0


def test_reloads_and_failing_limits_are_shown():
    metrics = ServiceMetrics()
    metrics.count_reload(REFUSED)
    metrics.count_limit_storage_failure()
    metrics.set_limits_degraded(True)
    found = parsed(metrics.exposition(None)[0])
    assert found["model_reloads_total", ("outcome", "refused")] == 1
    assert found["ratelimit_storage_failures_total",] == 1
    assert found["ratelimit_storage_degraded",] == 1


def test_refused_rows_are_no_predictions(client):
    client.post("/predict", json={})
    assert sum(value for key, value in samples(client).items() if key[0] == "model_predictions_total") == 0


def test_requests_are_counted_by_rule_and_status(client, row):
    client.post("/predict", json=row)
    client.post("/predict", json=row)
    client.post("/predict", json={})
    found = samples(client)
    labels = ("method", "POST"), ("status", "200"), ("url_rule", "/predict")
    assert found["flask_http_request_duration_seconds_count", *labels] == 2
    assert 0 < found["flask_http_request_duration_seconds_sum", *labels] < 5
    assert found["flask_http_request_total", ("method", "POST"), ("status", "200")] == 2
    assert found["flask_http_request_total", ("method", "POST"), ("status", "422")] == 1
    assert found["api_errors_total", ("endpoint", "/predict"), ("error_type", "invalid-instances")] == 1
    assert any(key[0] == "process_resident_memory_bytes" for key in found)
    assert any(key[0] == "flask_exporter_info" for key in found)


def test_errors_are_counted_by_kind_and_route(make_client, row):
    client = make_client(api_keys=(KEY,), rate_limit_predict=1)
    client.post("/predict", json=row)
    client.post("/predict", json=row, headers={"X-API-Key": "guess"})
    client.post("/predict", json=row, headers={"X-API-Key": KEY})
    client.post("/predict", json=row, headers={"X-API-Key": KEY})
    client.get("/nowhere")
    found = samples(client)
    errors = {key[1:]: value for key, value in found.items() if key[0] == "api_errors_total" and value}
    assert errors == {
        (("endpoint", "/predict"), ("error_type", "missing-key")): 1,
        (("endpoint", "/predict"), ("error_type", "wrong-key")): 1,
        (("endpoint", "/predict"), ("error_type", "too-many-requests")): 1,
        (("endpoint", "unmatched"), ("error_type", "not-found")): 1,
    }


def test_random_paths_methods_and_assets_add_no_series(client):
    def visit(number):
        client.get(f"/nowhere-{number}")
        client.open("/health", method=f"METHOD{number}")
        client.open(f"/x/{number}", method=f"METHOD{number}")
        client.get(f"/docs/assets/swagger/{number}.js")
        client.get(f"/?q={number}", headers={"User-Agent": f"agent-{number}", "X-Request-ID": f"id-{number}"})

    visit(0)
    samples(client)
    before = set(samples(client))
    for number in range(1, 30):
        visit(number)
    assert set(samples(client)) == before


def test_two_apps_count_apart(make_client, row):
    one, other = make_client(), make_client()
    one.post("/predict", json=row)
    counts = [
        samples(client)["flask_http_request_total", ("method", "POST"), ("status", "200")] for client in (one, other)
    ]
    assert counts == [1, 0]


def test_openmetrics_is_given_to_a_scraper_that_prefers_it(client):
    response = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert response.content_type.startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        ("127.0.0.1", None, 200),
        ("::1", None, 200),
        ("10.1.2.3", None, 200),
        ("172.16.0.9", None, 200),
        ("192.168.1.1", None, 200),
        ("100.64.3.4", None, 200),
        ("100.127.255.254", None, 200),
        ("::ffff:100.64.3.4", None, 200),
        ("fd00::1", None, 200),
        ("::ffff:10.1.2.3", None, 200),
        ("::ffff:127.0.0.1", None, 200),
        ("8.8.8.8", None, 404),
        ("100.63.255.255", None, 404),
        ("100.128.0.1", None, 404),
        ("::ffff:8.8.8.8", None, 404),
        ("2600:1900::1", None, 404),
        ("", None, 404),
        ("unix", None, 404),
        ("127.0.0.1", "8.8.8.8", 404),
        ("10.1.2.3", "10.9.9.9", 404),
        ("100.64.3.4", "8.8.8.8", 404),
        ("127.0.0.1", "", 404),
        ("8.8.8.8", "127.0.0.1", 404),
    ],
)
@pytest.mark.parametrize("hops", [0, 1, 2])
def test_metrics_are_for_near_peers_in_production(make_client, problem, peer, forwarded, status, hops):
    client = make_client(environment="production", trusted_proxy_hops=hops)
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    response = client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": peer})
    assert response.status_code == status
    if status == 404:
        problem(response, 404)


def test_metrics_are_for_everyone_in_development(client):
    assert samples(client, environ_base={"REMOTE_ADDR": "8.8.8.8"}, headers={"X-Forwarded-For": "1.1.1.1"})
