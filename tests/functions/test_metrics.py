"""GET /metrics: what it says, who may read it, and that callers can't make it grow."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

KEY = "an-example-key-of-more-than-32-characters"


def samples(client, **how):
    """All samples by name and labels."""
    response = client.get("/metrics", **how)
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain")
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
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
    errors = {key[1:]: value for key, value in found.items() if key[0] == "api_errors_total"}
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
    assert ("flask_http_request_total", ("method", "POST"), ("status", "200")) not in samples(other)


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
        ("fd00::1", None, 200),
        ("::ffff:10.1.2.3", None, 200),
        ("::ffff:127.0.0.1", None, 200),
        ("8.8.8.8", None, 404),
        ("::ffff:8.8.8.8", None, 404),
        ("2600:1900::1", None, 404),
        ("", None, 404),
        ("unix", None, 404),
        ("127.0.0.1", "8.8.8.8", 404),
        ("10.1.2.3", "10.9.9.9", 404),
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
