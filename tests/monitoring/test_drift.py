"""Drift in a real Prometheus that scrapes the real service."""

import random
import time
from contextlib import ExitStack

import pytest

from monitoring.policies import FOLDER, read_rules

pytestmark = pytest.mark.monitoring

ROWS = 400
TOO_FEW = 150
SHIFTED = "sepal_length"
INDEX = "job_version_feature:model_feature_psi:6h"
CLASS_INDEX = "job_version:model_predictions_psi:6h"
THRESHOLD = 0.2


def unshifted(count):
    """Rows drawn from all data, training and test alike."""
    lines = (FOLDER.parent / "data/raw/iris.csv").read_text().splitlines()
    names = lines[0].split(",")[:4]
    rows = [dict(zip(names, map(float, line.split(",")[:4]), strict=True)) for line in lines[1:]]
    return random.Random(7).choices(rows, k=count)


def shifted(count):
    """The same rows, with one feature measured 0.8 cm too long."""
    return [row | {SHIFTED: row[SHIFTED] + 0.8} for row in unshifted(count)]


def one_class(count):
    return [row for row in unshifted(4 * count) if row["petal_length"] < 2.5][:count]


@pytest.fixture(scope="module")
def prometheus(start_service, start_prometheus):
    """A Prometheus that has seen five services, each with its own stream of rows; one of them with two workers."""
    streams = {
        "same": unshifted(ROWS),
        "shifted": shifted(ROWS),
        "shifted, two workers": shifted(ROWS),
        "shifted, too few": shifted(TOO_FEW),
        "one class": one_class(ROWS),
    }
    with ExitStack() as stack:
        services = {
            job: stack.enter_context(start_service(WORKERS="2" if "two workers" in job else "1")) for job in streams
        }
        running = stack.enter_context(start_prometheus({job: [service] for job, service in services.items()}))
        # the zeros from which the counters rise; increase() overrates what is seen for a few seconds only
        for job in streams:
            running.await_result(f'count_over_time(model_feature_values_total{{job="{job}"}}[1m]) >= 12')
        for job, rows in streams.items():
            for row in rows[:50]:
                assert services[job].ask("POST", "/predict", row) == 200
            services[job].predict(rows[50:])
        for job, rows in streams.items():
            running.await_result(f'sum(model_feature_values_total{{job="{job}",feature="{SHIFTED}"}}) == {len(rows)}')
        # what the rules made of the rows while they came is not what they make of all of them
        complete = time.time()
        for job in streams.keys() - {"shifted, too few"}:
            running.await_result(f'timestamp({CLASS_INDEX}{{job="{job}"}}) > {complete}')
        yield running


def indices(prometheus, job):
    return {dict(labels)["feature"]: value for labels, value in prometheus.query(f'{INDEX}{{job="{job}"}}').items()}


def class_index(prometheus, job):
    (value,) = prometheus.query(f'{CLASS_INDEX}{{job="{job}"}}').values()
    return value


def test_unshifted_stream_stays_below_the_threshold(prometheus):
    found = indices(prometheus, "same")
    assert len(found) == 4
    assert all(0 <= value < THRESHOLD for value in found.values()), found
    assert 0 <= class_index(prometheus, "same") < THRESHOLD


@pytest.mark.parametrize("job", ["shifted", "shifted, two workers"])
def test_shifted_stream_of_the_same_size_raises_the_index_of_its_feature_only(prometheus, job):
    found = indices(prometheus, job)
    assert found.pop(SHIFTED) > THRESHOLD
    assert len(found) == 3
    assert all(value < THRESHOLD for value in found.values()), found


def test_predicted_classes_in_other_shares_raise_their_index(prometheus):
    assert class_index(prometheus, "one class") > THRESHOLD


def test_below_the_minimum_count_there_is_no_value(prometheus):
    assert prometheus.query('sum(model_feature_values_total{job="shifted, too few"})') != {}
    assert prometheus.query(f'{INDEX}{{job="shifted, too few"}} or {CLASS_INDEX}{{job="shifted, too few"}}') == {}


def test_alert_waits_for_the_features_that_drift(prometheus):
    (rule,) = [rule for rule in read_rules([FOLDER / "rules/model.yml"]) if rule.get("alert") == "FeatureDrift"]
    firing = {(dict(labels)["job"], dict(labels)["feature"]) for labels in prometheus.query(rule["expr"])}
    assert {pair for pair in firing if pair[0] != "one class"} == {
        ("shifted", SHIFTED),
        ("shifted, two workers", SHIFTED),
    }
    pending = prometheus.await_result('ALERTS{alertname="FeatureDrift",job="shifted"}')
    assert [dict(labels)["alertstate"] for labels in pending] == ["pending"]


def test_index_is_the_one_that_the_formula_gives(prometheus, bundle_folder):
    """sum of (live - reference) ln(live / reference) over the bins, computed here from the rows."""
    import numpy as np

    from functions.bundle.files import METADATA_FILE, read_metadata

    for feature in read_metadata(bundle_folder / METADATA_FILE).features:
        reference = np.array([*feature.reference.counts, feature.reference.missing])
        values = [row[feature.name] for row in shifted(ROWS)]
        live = np.bincount(np.searchsorted(feature.reference.edges, values), minlength=len(reference))
        one, other = (np.maximum(counts / counts.sum(), 0.001) for counts in (live, reference))
        expected = ((one - other) * np.log(one / other)).sum()
        assert indices(prometheus, "shifted")[feature.name] == pytest.approx(expected, rel=0.05, abs=0.005)
