import numpy as np
import pytest
from sklearn import metrics as reference

from pipeline.metrics import (
    confusion_matrix,
    evaluate,
    permutation_importance,
    quantile,
    resample_counts,
    roc_curve,
    score,
)

KEYS = ["a", "b", "c", "d"]


@pytest.fixture(params=range(5))
def answers(request):
    """True and predicted classes; class 3 is never predicted, and class 2 is never true in one case."""
    generator = np.random.default_rng(request.param)
    truth = generator.integers(0, 4, 200)
    predicted = np.where(generator.random(200) < 0.7, truth, generator.integers(0, 3, 200))
    predicted[predicted == 3] = 0
    if request.param == 4:
        truth[truth == 2] = 1
    return truth, predicted


def test_scores_are_those_of_scikit_learn(answers):
    truth, predicted = answers
    found = evaluate(truth, predicted, KEYS, confidence=0.95, resamples=200, seed=1)
    options = {"labels": range(4), "zero_division": 0}
    weighted = reference.precision_recall_fscore_support(truth, predicted, average="weighted", **options)
    by_class = np.array(reference.precision_recall_fscore_support(truth, predicted, **options)).T

    assert found.accuracy == pytest.approx(reference.accuracy_score(truth, predicted))
    assert (found.precision, found.recall, found.f1_score) == pytest.approx(weighted[:3])
    assert found.confusion_matrix == reference.confusion_matrix(truth, predicted, labels=range(4)).tolist()
    for key, expected in zip(KEYS, by_class, strict=True):
        scores = found.per_class[key]
        assert (scores.precision, scores.recall, scores.f1_score, scores.support) == pytest.approx(tuple(expected))
    assert sum(scores.support for scores in found.per_class.values()) == found.n_samples == 200


def test_intervals_are_those_of_resampled_rows(answers, generator):
    truth, predicted = answers
    found = evaluate(truth, predicted, KEYS, confidence=0.9, resamples=4000, seed=1)

    rows = generator.integers(0, 200, size=(800, 200))
    drawn = [reference.f1_score(truth[row], predicted[row], average="weighted", zero_division=0) for row in rows]
    assert found.confidence_intervals["f1_score"] == pytest.approx(np.quantile(drawn, [0.05, 0.95]), abs=0.015)
    low, high = found.confidence_intervals["accuracy"]
    assert low < found.accuracy < high
    assert found == evaluate(truth, predicted, KEYS, confidence=0.9, resamples=4000, seed=1)
    assert found != evaluate(truth, predicted, KEYS, confidence=0.9, resamples=4000, seed=2)


def test_scores_of_many_matrices_are_those_of_each():
    matrices = np.random.default_rng(1).integers(0, 9, size=(6, 3, 3))

    together = score(matrices)
    for index, matrix in enumerate(matrices):
        assert score(matrix).f1_score == together.f1_score[index]
        assert (score(matrix).class_recall == together.class_recall[index]).all()


def test_resamples_have_as_many_rows_as_the_original():
    counts = resample_counts(np.array([3, 0, 7]), 50, seed=1)

    assert (counts.sum(axis=1) == 10).all()
    assert (counts[:, 1] == 0).all()


def test_quantile_is_a_value_that_was_observed():
    assert quantile(np.array([0.0, 1.0]), 0.05) == 0.0
    assert quantile(np.array([0.0, 1.0]), 0.5) == 0.0
    assert quantile(np.array([0.0, 1.0]), 0.51) == 1.0


@pytest.mark.parametrize("decimals", [1, 6])
def test_roc_curve_is_that_of_scikit_learn(generator, decimals):
    positive = generator.random(300) < 0.3
    scores = np.round(generator.normal(size=300) + positive, decimals)
    expected = reference.roc_curve(positive, scores, drop_intermediate=False)

    found = roc_curve(positive, scores)
    assert np.allclose(found.false_positive_rate, expected[0])
    assert np.allclose(found.true_positive_rate, expected[1])
    assert found.area == pytest.approx(reference.roc_auc_score(positive, scores))


def test_roc_curve_of_one_kind_of_rows_is_empty():
    found = roc_curve(np.ones(3, dtype=bool), np.arange(3.0))

    assert len(found.true_positive_rate) == 0
    assert np.isnan(found.area)


def test_importance_is_the_loss_of_accuracy_of_the_feature_that_decides(generator):
    rows = generator.normal(size=(500, 3)).astype(np.float32)
    truth = (rows[:, 1] > 0).astype(np.int64)

    found = permutation_importance(lambda seen: (seen[:, 1] > 0).astype(np.int64), rows, truth, repeats=5, seed=1)
    assert found[[0, 2]].tolist() == [0, 0]
    assert found[1] == pytest.approx(0.5, abs=0.05)


def test_confusion_matrix_has_true_classes_in_rows():
    assert confusion_matrix(np.array([0, 0, 1]), np.array([1, 0, 1]), 3).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
