import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import f1_score

from functions.bundle.files import read_metadata
from pipeline.evaluate import compare
from pipeline.gate import Comparison, Gate, failures, floor_checks, incomparable, non_inferiority_checks, split_notes
from pipeline.metrics import evaluate

TRUTH = np.repeat([0, 1, 2], 10)


def answers(*wrong):
    """Predictions for TRUTH that are wrong on some rows."""
    predicted = TRUTH.copy()
    predicted[list(wrong)] = (predicted[list(wrong)] + 1) % 3
    return predicted


def check(make_params, candidate, champion, **changes):
    params = make_params(evaluate=changes).evaluate
    return non_inferiority_checks(TRUTH, candidate, champion, 3, params, seed=42)


@pytest.mark.parametrize(
    ("candidate", "champion", "passes"),
    [
        ((), (), True),
        ((3,), (), True),
        ((3, 14), (), False),
        ((3, 14, 25), (), False),
        ((), (3, 14, 25), True),
        ((3, 14), (5, 16), True),
        ((3, 14, 25, 26), (4,), False),
    ],
)
def test_non_inferiority_lets_one_row_of_thirty_pass_and_no_more(make_params, candidate, champion, passes):
    checks = check(make_params, answers(*candidate), answers(*champion))

    assert [item.metric for item in checks] == ["accuracy", "f1_score"]
    assert all(item.passed for item in checks) is passes
    assert checks[0].value == pytest.approx((len(champion) - len(candidate)) / 30)
    expected = [f1_score(TRUTH, answers(*wrong), average="weighted") for wrong in (candidate, champion)]
    assert checks[1].value == pytest.approx(expected[0] - expected[1])


def test_non_inferiority_bound_is_that_of_scipy(make_params, generator):
    candidate, champion = answers(1, 12, 13, 25), answers(1, 2)
    right = (candidate == TRUTH).astype(int) - (champion == TRUTH).astype(int)
    theirs = scipy_bootstrap((right,), np.mean, confidence_level=0.9, method="BCa", n_resamples=20_000, rng=generator)

    bound = check(make_params, candidate, champion, resamples=20_000)[0].bound
    # a row of 30 is 0.033; scipy's quantile lies between two of them
    assert bound == pytest.approx(theirs.confidence_interval.low, abs=1 / 30)


@pytest.mark.parametrize(("rows", "margin"), [(30, 0.15), (100, 0.05), (300, 0.03), (1000, 0.02)])
def test_candidate_that_is_worse_by_the_margin_passes_about_once_in_twenty(make_params, rows, margin):
    """Exactly, over the binomial number of rows on which the candidate alone errs: the hardest case."""
    params = make_params(evaluate={"margins": {"accuracy": margin, "f1_score": 1.0}}).evaluate
    truth = np.zeros(rows, dtype=np.int64)
    passes = 0.0
    for errors in range(rows + 1):
        candidate = truth.copy()
        candidate[:errors] = 1
        if not non_inferiority_checks(truth, candidate, truth, 2, params, seed=42)[0].passed:
            break
        passes += float(binom.pmf(errors, rows, margin))
    assert 0.01 < passes < 0.07


predictions = st.lists(st.integers(0, 2), min_size=30, max_size=30).map(np.array)


@given(predictions, predictions)
@settings(deadline=None, max_examples=40)
def test_gate_passes_exactly_what_does_not_miss(default_params, candidate, champion):
    from pipeline.params import parse_params

    params = parse_params(default_params).evaluate
    for item in non_inferiority_checks(TRUTH, candidate, champion, 3, params, seed=42):
        assert item.passed == (item.bound >= item.threshold - 1e-9) == (item.missed_by == 0)
        assert item.missed_by == pytest.approx(max(0, item.threshold - item.bound), abs=1e-9)
        assert item.bound <= item.value + 1e-9
    assert all(item.passed for item in non_inferiority_checks(TRUTH, candidate, candidate, 3, params, seed=42))


def test_failures_name_the_number_its_threshold_and_the_miss(make_params):
    params = make_params(evaluate={"floors": {"accuracy": 0.95, "f1_score": 0.5}}).evaluate
    metrics = evaluate(TRUTH, answers(1, 2, 3), "abc", confidence=0.9, resamples=100, seed=1)
    checks = floor_checks(metrics, params) + check(make_params, answers(1, 2, 3), answers())
    gate = Gate(
        passed=False,
        model_sha256="",
        n_samples=30,
        confidence=0.95,
        champion=Comparison(comparable=True),
        checks=checks,
    )

    found = failures(gate)
    assert found[0] == "accuracy 0.9000 is below its floor 0.9500, by 0.0500"
    assert found[1] == (
        "accuracy differs from the champion's by -0.1000, with a lower 95% bound of -0.2333 "
        "below the margin -0.1500, by 0.0833"
    )
    assert len(found) == 3


@pytest.fixture
def metadata(reproduced):
    return read_metadata(reproduced.folder / "models/metadata.json")


def renamed(metadata, *names):
    return msgspec.structs.replace(
        metadata,
        features=[
            msgspec.structs.replace(feature, name=name) for feature, name in zip(metadata.features, names, strict=False)
        ],
    )


def test_champion_of_another_schema_is_incomparable_with_a_reason(metadata):
    other_names = renamed(metadata, "sepal_length", "sepal_width", "petal_length", "colour")
    other_order = renamed(metadata, "sepal_width", "sepal_length", "petal_length", "petal_width")
    other_classes = msgspec.structs.replace(metadata, target_names=["setosa", "versicolor"])

    assert incomparable(metadata, metadata) is None
    assert incomparable(metadata, other_names) == (
        "other features: only the champion has 'colour'; only the candidate has 'petal_width'"
    )
    assert "another order of features" in incomparable(metadata, other_order)
    assert "other classes: the champion has ['setosa', 'versicolor']" in incomparable(metadata, other_classes)


def test_champion_of_another_split_is_noted(metadata):
    params = {"data": metadata.params["data"] | {"random_state": 1}, "train": {}}

    assert split_notes(metadata, metadata) == []
    [note] = split_notes(metadata, msgspec.structs.replace(metadata, params=params))
    assert note.startswith("data.random_state was 1 for the champion and is 42")


def test_comparison_without_champion_says_so():
    assert compare(None, None).reason == "there is no champion in champion/"
