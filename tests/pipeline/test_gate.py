import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


def test_non_inferiority_bound_is_that_of_resampled_rows(make_params, generator):
    candidate, champion = answers(1, 12, 13, 25), answers(1, 2)
    rows = generator.integers(0, 30, size=(20_000, 30))
    right = (candidate == TRUTH).astype(int) - (champion == TRUTH).astype(int)
    expected = np.quantile(right[rows].mean(axis=1), 0.05, method="inverted_cdf")

    assert check(make_params, candidate, champion, resamples=20_000)[0].bound == pytest.approx(expected, abs=1e-9)


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
        "accuracy differs from the champion's by -0.1000, with a lower 95% bound of -0.2000 "
        "below the margin -0.1200, by 0.0800"
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
