"""Plots of an assessment: as data for DVC, and as figures for MLflow."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.assessment import Assessment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROC_POINTS = 200
"""Points per curve that are drawn, at most: a file for the eye need not grow with the test set."""


def plot_data(assessment: Assessment) -> dict[str, bytes]:
    """CSV files for `dvc plots`, by file name."""
    keys = assessment.class_keys
    confusion = (
        (keys[truth], keys[found]) for truth, found in zip(assessment.truth, assessment.predicted, strict=True)
    )
    roc = (
        (key, point, float(x), float(y))
        for key, curve in zip(keys, assessment.roc, strict=True)
        for point, (x, y) in enumerate(_thinned(curve.false_positive_rate, curve.true_positive_rate))
    )
    importance = sorted(
        zip(assessment.features, assessment.importance.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0])
    )
    return {
        "confusion.csv": _csv(("actual", "predicted"), confusion),
        "roc.csv": _csv(("class", "point", "false_positive_rate", "true_positive_rate"), roc),
        "importance.csv": _csv(("feature", "importance"), importance),
    }


def figures(assessment: Assessment) -> dict[str, "Figure"]:
    """The same plots as figures, by file name. Needs no display."""
    return {
        "confusion.png": _confusion(assessment),
        "roc.png": _roc(assessment),
        "importance.png": _importance(assessment),
    }


def _confusion(assessment: Assessment) -> "Figure":
    from matplotlib.figure import Figure

    keys, counts = assessment.class_keys, assessment.confusion
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts, cmap="Blues")
    axes.set(xlabel="predicted", ylabel="actual", title="Confusion matrix of the test rows")
    axes.set_xticks(range(len(keys)), keys, rotation=45, ha="right")
    axes.set_yticks(range(len(keys)), keys)
    for (row, column), count in np.ndenumerate(counts):
        axes.text(
            column, row, str(count), ha="center", va="center", color="white" if 2 * count > counts.max() else "black"
        )
    return figure


def _roc(assessment: Assessment) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    for key, curve in zip(assessment.class_keys, assessment.roc, strict=True):
        axes.plot(curve.false_positive_rate, curve.true_positive_rate, label=f"{key} ({curve.area:.3f})")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC, each class against the others")
    axes.legend(title="area below", loc="lower right")
    return figure


def _importance(assessment: Assessment) -> "Figure":
    from matplotlib.figure import Figure

    order = np.argsort(assessment.importance)
    figure = Figure(figsize=(6, 1.5 + 0.3 * len(order)), layout="constrained")
    axes = figure.subplots()
    axes.barh([assessment.features[index] for index in order], assessment.importance[order])
    axes.set(xlabel="loss of accuracy when shuffled", title="Feature importance on the test rows")
    return figure


def _thinned(x: np.ndarray, y: np.ndarray) -> Iterable[tuple[float, float]]:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), ROC_POINTS)).astype(int))
    return zip(x[kept], y[kept], strict=True)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
