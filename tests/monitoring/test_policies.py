"""Alert policies give what the rules give, in a real Prometheus with six hours of a service in trouble."""

import json
import re
import subprocess
import time

import pytest

from monitoring.policies import POLICIES, RULES, read_rules

pytestmark = pytest.mark.monitoring

HOURS = 7
REQUESTS = "flask_http_request_duration_seconds"
PREDICTING = {"method": "POST", "url_rule": "/predict"}
WIDTH = {"version": "2", "feature": "width"}
TROUBLE = [
    # name, type, labels, value at the start, increase a minute
    (f"{REQUESTS}_count", "unknown", PREDICTING | {"status": "200"}, 0, 80),
    (f"{REQUESTS}_count", "unknown", PREDICTING | {"status": "429"}, 0, 40),
    (f"{REQUESTS}_count", "unknown", PREDICTING | {"status": "500"}, 0, 30),
    (f"{REQUESTS}_bucket", "unknown", PREDICTING | {"status": "200", "le": "0.1"}, 0, 50),
    ("api_errors_total", "unknown", {"error_type": "wrong-key", "endpoint": "/predict"}, 0, 10),
    ("ratelimit_storage_degraded", "gauge", {}, 1, 0),
    ("model_loaded", "gauge", {}, 0, 0),
    ("model_info", "gauge", {"version": "2", "run_id": "r"}, 1, 0),
    ("model_reloads_total", "unknown", {"outcome": "refused"}, 0, 1),
    ("model_feature_reference_ratio", "gauge", WIDTH | {"bin": "1"}, 0.5, 0),
    ("model_feature_reference_ratio", "gauge", WIDTH | {"bin": "+Inf"}, 0.5, 0),
    ("model_feature_values_total", "unknown", WIDTH | {"bin": "1"}, 0, 70),
    ("model_feature_values_total", "unknown", WIDTH | {"bin": "+Inf"}, 0, 10),
    ("model_feature_refused_total", "unknown", WIDTH | {"reason": "missing"}, 0, 20),
    ("model_predictions_reference_ratio", "gauge", {"version": "2", "predicted_class": "setosa"}, 0.5, 0),
    ("model_predictions_reference_ratio", "gauge", {"version": "2", "predicted_class": "virginica"}, 0.5, 0),
    ("model_predictions_total", "unknown", {"version": "2", "predicted_class": "setosa"}, 0, 70),
    ("model_predictions_total", "unknown", {"version": "2", "predicted_class": "virginica"}, 0, 10),
]
SILENT_MINUTES = 40
EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in read_rules(RULES) if "alert" in rule}


def openmetrics(end):
    """What a service in trouble, and one that fell silent, have exposed each minute until `end`."""
    lines = []
    for family in dict.fromkeys(name for name, *_ in TROUBLE):
        lines.append(f"# TYPE {family} {next(kind for name, kind, *_ in TROUBLE if name == family)}")
        for name, _, labels, first, step in TROUBLE:
            if name != family:
                continue
            for job in ("iris-api", "silent"):
                series = ",".join(f'{key}="{value}"' for key, value in {"job": job, "instance": job, **labels}.items())
                for minute in range(HOURS * 60 + 1):
                    grown = min(minute, HOURS * 60 - SILENT_MINUTES) if job == "silent" else minute
                    lines.append(f"{name}{{{series}}} {first + step * grown} {end - (HOURS * 60 - minute) * 60}")
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def prometheus(require_program, start_prometheus, tmp_path_factory):
    """A Prometheus that finds the trouble in its storage, and has recorded it."""
    folder = tmp_path_factory.mktemp("trouble")
    (folder / "exposed").write_text(openmetrics(int(time.time()) - 5))
    command = [require_program("promtool"), "tsdb", "create-blocks-from", "openmetrics", "exposed", "data"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    with start_prometheus({}, storage=folder / "data") as running:
        for series in ("job:prediction_slow:ratio_rate6h", "job_version:model_predictions_psi:6h"):
            running.await_result(series)
        yield running


@pytest.mark.parametrize("policy", json.loads(POLICIES.read_text()), ids=lambda policy: policy["name"])
def test_policy_gives_what_the_rule_gives(prometheus, policy):
    expression = EXPRESSIONS[policy["name"]]
    recorded = re.search(r"[a-z]\w*:[\w:]+", expression)
    # a recorded series has the values of the moment at which it was recorded
    at = max(prometheus.query(f"timestamp({recorded[0]})").values()) if recorded else time.time()
    of_rule = prometheus.query(expression, at)
    of_policy = prometheus.query(policy["expr"], at)
    assert of_rule, "the trouble does not reach this alert"
    without_name = {
        frozenset(pair for pair in labels if pair[0] != "__name__"): value for labels, value in of_rule.items()
    }
    assert {
        frozenset(pair for pair in labels if pair[0] != "__name__"): value for labels, value in of_policy.items()
    } == pytest.approx(without_name)
