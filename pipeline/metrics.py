"""Scores of predictions, their bootstrap intervals, ROC curves and feature importance. Pure numpy.

Classes are indices 0..K-1 throughout. A score whose denominator is zero is 0, as in scikit-learn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from functions.bundle.metadata import ClassMetrics, Metrics

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SCORES = ("accuracy", "precision", "recall", "f1_score")


@dataclass(frozen=True)
class Scores:
    """Scores of one or many confusion matrices [..., K, K]; the first four are [...], the others [..., K]."""

    accuracy: Floats
    precision: Floats
    recall: Floats
    f1_score: Floats
    class_precision: Floats
    class_recall: Floats
    class_f1: Floats
    support: Floats

    def get(self, name: str) -> Floats:
        """One of SCORES by its name."""
        found: Floats = getattr(self, name)
        return found


@dataclass(frozen=True)
class RocCurve:
    """One class against all others: points from (0, 0) to (1, 1), and the area below them."""

    false_positive_rate: Floats
    true_positive_rate: Floats
    area: float


def confusion_matrix(truth: Ints, predicted: Ints, classes: int) -> Ints:
    """Counts [K, K] of rows by true class (row) and predicted class (column)."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def score(confusion: Ints) -> Scores:
    """Accuracy, and precision, recall and F1 weighted by support, of each confusion matrix [..., K, K].

    F1 is 2 TP / (2 TP + FP + FN), per class, as in sklearn.metrics.f1_score(average="weighted").
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(float)
    support, predicted = confusion.sum(axis=-1).astype(float), confusion.sum(axis=-2).astype(float)
    total = support.sum(axis=-1)
    precision, recall = _ratio(hits, predicted), _ratio(hits, support)
    f1 = _ratio(2 * hits, support + predicted)
    weights = _ratio(support, total[..., None])
    return Scores(
        accuracy=_ratio(hits.sum(axis=-1), total),
        precision=(weights * precision).sum(axis=-1),
        recall=(weights * recall).sum(axis=-1),
        f1_score=(weights * f1).sum(axis=-1),
        class_precision=precision,
        class_recall=recall,
        class_f1=f1,
        support=support,
    )


def resample_counts(cells: Ints, resamples: int, seed: int) -> Ints:
    """Bootstrap resamples of rows that fall into cells, as counts [resamples, cells].

    Drawing n rows with replacement and counting them by cell is the same as drawing the counts from
    a multinomial distribution with the cells' shares (Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, section 5.2), which needs no rows at all.
    """
    total = int(cells.sum())
    return np.random.default_rng(seed).multinomial(total, cells / total, size=resamples)


def evaluate(
    truth: Ints, predicted: Ints, class_keys: Sequence[str], *, confidence: float, resamples: int, seed: int
) -> Metrics:
    """All scores of `predicted` against `truth`, with percentile bootstrap intervals over the rows."""
    classes = len(class_keys)
    confusion = confusion_matrix(truth, predicted, classes)
    scores = score(confusion)
    resampled = score(resample_counts(confusion.ravel(), resamples, seed).reshape(-1, classes, classes))
    tail = (1 - confidence) / 2
    return Metrics(
        accuracy=float(scores.accuracy),
        precision=float(scores.precision),
        recall=float(scores.recall),
        f1_score=float(scores.f1_score),
        n_samples=len(truth),
        per_class={
            key: ClassMetrics(
                precision=float(scores.class_precision[index]),
                recall=float(scores.class_recall[index]),
                f1_score=float(scores.class_f1[index]),
                support=int(scores.support[index]),
            )
            for index, key in enumerate(class_keys)
        },
        confusion_matrix=confusion.tolist(),
        confidence_intervals={
            name: (quantile(resampled.get(name), tail), quantile(resampled.get(name), 1 - tail)) for name in SCORES
        },
    )


def quantile(values: Floats, share: float) -> float:
    """The smallest of `values` that at least `share` of them do not exceed: always one that was observed."""
    return float(np.quantile(values, share, method="inverted_cdf"))


def bca_quantile(resampled: Floats, observed: float, left_out: Floats, cells: Ints, share: float) -> float:
    """The end of a one-sided interval by the bias-corrected and accelerated (BCa) bootstrap.

    `resampled` [resamples] and `observed` are the statistic of the resamples and of the rows themselves;
    `left_out` [cells] that of the rows without one row of a cell, `cells` [cells] how many rows each has.
    Efron and Tibshirani 1993, equations 14.9 to 14.15; resamples that equal the observed one count half,
    since a statistic of counts has many.
    """
    normal, count = NormalDist(), len(resampled)
    below = (np.sum(resampled < observed) + np.sum(resampled == observed) / 2) / count
    bias = normal.inv_cdf(float(np.clip(below, 1 / count, 1 - 1 / count)))
    deviations = np.average(left_out, weights=cells) - left_out
    spread = float(cells @ deviations**2)
    acceleration = float(cells @ deviations**3) / (6 * spread**1.5) if spread else 0.0
    shifted = bias + normal.inv_cdf(share)
    return quantile(resampled, normal.cdf(bias + shifted / (1 - acceleration * shifted)))


def roc_curve(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> RocCurve:
    """Rates at each distinct score as the threshold, highest first (Fawcett 2006, algorithm 1).

    Without rows of either kind the curve is empty and the area is NaN.
    """
    if positive.all() or not positive.any():
        return RocCurve(np.empty(0), np.empty(0), float("nan"))
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(positive[order])[last]
    false = np.append(0, (last + 1 - hits) / (~positive).sum())
    true = np.append(0, hits / positive.sum())
    return RocCurve(false, true, float(np.trapezoid(true, false)))


def permutation_importance(
    predict: Callable[[NDArray[np.float32]], Ints], rows: NDArray[np.float32], truth: Ints, repeats: int, seed: int
) -> Floats:
    """Mean loss of accuracy per feature [features] when its values are shuffled (Breiman 2001, section 10)."""
    generator = np.random.default_rng(seed)
    whole = np.mean(predict(rows) == truth)
    losses = np.zeros((rows.shape[1], repeats))
    for feature in range(rows.shape[1]):
        for repeat in range(repeats):
            shuffled = rows.copy()
            shuffled[:, feature] = generator.permutation(shuffled[:, feature])
            losses[feature, repeat] = whole - np.mean(predict(shuffled) == truth)
    mean: Floats = losses.mean(axis=1)
    return mean


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(
        numerator, denominator, out=np.zeros(np.broadcast(numerator, denominator).shape), where=denominator > 0
    )
