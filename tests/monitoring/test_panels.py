"""Every query of the dashboards, in a real Prometheus that scrapes the real service under load."""

import json
import math
import threading
import time
from contextlib import contextmanager

import pytest

from monitoring.policies import FOLDER

pytestmark = pytest.mark.monitoring

KEY = "an-example-key-of-more-than-32-characters"
SETTINGS = {"API_KEY": KEY, "RATE_LIMIT_HEALTH": "5", "RATE_LIMIT_AUTH_FAILURES": "1000000"}
VARIABLES = {
    "$__rate_interval": "10s",
    "$datasource": "",
    "$job": "iris-api",
    "$version": ".*",
    "$feature": "petal_width",
}
QUERIES = {
    f"{path.stem}: {panel['title']} ({target['refId']})": target["expr"]
    for path in sorted((FOLDER / "grafana/dashboards").glob("*.json"))
    for panel in json.loads(path.read_text())["panels"]
    for target in panel.get("targets", [])
}


@contextmanager
def load(services, rows):
    """Users of every kind, until the block ends."""
    stop = threading.Event()

    def use(service):
        for number in range(1_000_000):
            if stop.is_set():
                return
            row = rows[number % len(rows)]
            service.predict([row] * 5, X_API_Key=KEY)
            service.ask("POST", "/predict", row, X_API_Key=KEY)
            service.ask("POST", "/predict", row | {"petal_width": 99}, X_API_Key=KEY)
            service.ask("POST", "/predict", row, X_API_Key="a guess" if number % 20 == 0 else KEY)
            service.ask("GET", "/health")
            time.sleep(0.02)

    users = [threading.Thread(target=use, args=(service,)) for service in services]
    for user in users:
        user.start()
    try:
        yield
    finally:
        stop.set()
        for user in users:
            user.join()


@pytest.fixture(scope="module")
def prometheus(start_service, start_prometheus, bundle_folder):
    """A Prometheus that watches two instances under load, one of them with two workers."""
    metadata = json.loads((bundle_folder / "metadata.json").read_text())
    rows = [example["instance"] for example in metadata["golden_examples"]]
    with (
        start_service(**SETTINGS) as one,
        start_service(**SETTINGS, WORKERS="2") as other,
        start_prometheus({"iris-api": [one, other]}) as running,
        load([one, other], rows),
    ):
        running.await_result("job_version_feature:model_feature_psi:6h")
        # two intervals of scraping and the window of the rates
        time.sleep(10)
        yield running


@pytest.mark.parametrize("expression", QUERIES.values(), ids=QUERIES)
def test_panel_shows_something_under_load(prometheus, expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    found = prometheus.query(expression)
    assert any(not math.isnan(value) for value in found.values()), expression


@pytest.mark.parametrize(
    ("expression", "least"),
    [
        ("sum(up)", 2),
        ('sum(rate(api_errors_total{error_type="invalid-instances"}[10s]))', 0.1),
        ('sum(rate(api_errors_total{error_type="wrong-key"}[10s]))', 0.001),
        ('sum(rate(api_errors_total{endpoint="/health",error_type="too-many-requests"}[10s]))', 0.1),
        ('sum(rate(model_feature_refused_total{feature="petal_width",reason="out_of_bounds"}[10s]))', 0.1),
    ],
)
def test_load_reaches_what_the_panels_show(prometheus, expression, least):
    assert next(iter(prometheus.query(expression).values())) >= least
