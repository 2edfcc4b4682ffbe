"""The proof that the exported model answers as the fitted one does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from functions.bundle.metadata import Label
from functions.bundle.runtime import TOLERANCE, Classifier
from pipeline.console import progress
from pipeline.errors import ExportError
from pipeline.model import to_frame

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

CHUNK = 10_000
"""Rows compared at a time: keeps memory low and lets a bar move."""

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class RowSet:
    """Rows [rows, features] of one origin, with the names by which a message calls them."""

    what: str
    rows: Rows
    names: list[str] | None = None

    def name(self, index: int) -> str:
        """What to call a row."""
        return f"{self.what} row {index + 1}" if self.names is None else self.names[index]


@dataclass(frozen=True)
class Parity:
    """What was compared: rows, the largest difference of a probability, and labels that differ at a tie."""

    rows: int
    difference: float
    ties: int


def prove(pipeline: "Pipeline", classifier: Classifier, features: list[str], sets: list[RowSet]) -> Parity:
    """Compare both models on every row of every set.

    Probabilities may differ by TOLERANCE. Labels must be equal, except at a tie: where scikit-learn
    itself gives both classes the same highest probability (to within TOLERANCE), each of the two is
    as right as the other, and which one comes first is decided by the last bit of a sum.

    Raises:
        ExportError: at the first row that differs, with both answers.
    """
    total, difference, ties = 0, 0.0, 0
    for rows in sets:
        starts = range(0, len(rows.rows), CHUNK)
        for start in progress(starts, f"comparing {rows.what} rows", len(starts)):
            part = rows.rows[start : start + CHUNK]
            found = _compare(pipeline, classifier, features, part)
            if found.faults.size:
                raise ExportError(_message(rows, start, part, features, found, pipeline.classes_.tolist()))
            total += len(part)
            difference = max(difference, found.difference)
            ties += found.ties
    return Parity(rows=total, difference=difference, ties=ties)


@dataclass(frozen=True)
class _Comparison:
    expected: NDArray[np.float64]
    answers: Rows
    expected_labels: NDArray[np.intp]
    labels: NDArray[np.intp]
    faults: NDArray[np.intp]
    difference: float
    ties: int


def _compare(pipeline: "Pipeline", classifier: Classifier, features: list[str], rows: Rows) -> _Comparison:
    frame = to_frame(rows, features)
    expected = pipeline.predict_proba(frame)
    predicted: Any = pipeline.predict(frame)
    expected_labels = np.searchsorted(pipeline.classes_, predicted)
    answers = classifier.probabilities(rows)
    labels = answers.argmax(axis=1)
    distance = np.abs(answers - expected).max(axis=1)
    index = np.arange(len(rows))
    gap = np.abs(expected[index, expected_labels] - expected[index, labels])
    unequal = labels != expected_labels
    tie = unequal & (gap <= TOLERANCE)
    faults = np.flatnonzero(~(distance <= TOLERANCE) | (unequal & ~tie))
    return _Comparison(
        expected, answers, expected_labels, labels, faults, float(distance.max(initial=0.0)), int(tie.sum())
    )


def _message(
    rows: RowSet, start: int, part: Rows, features: list[str], found: _Comparison, classes: list[Label]
) -> str:
    first = int(found.faults[0])
    values = ", ".join(f"{name}={value!s}" for name, value in zip(features, part[first], strict=True))
    ours, theirs = int(found.labels[first]), int(found.expected_labels[first])
    return (
        f"the exported model differs from the fitted one on {rows.name(start + first)} ({values}): scikit-learn says "
        f"{classes[theirs]!r} with probability {found.expected[first, theirs]:.7f}, ONNX says {classes[ours]!r} with "
        f"{found.answers[first, ours]:.7f}; {found.faults.size} of {len(part)} rows compared differ. What serves must "
        "be what was trained: choose another estimator, leave the scaler off (data.scale: false) in front of trees, "
        "or, if the row is far from your data, narrow data.bounds or data.bounds_margin, so that the service refuses it"
    )


def random_rows(low: NDArray[np.float64], high: NDArray[np.float64], count: int, seed: int, missing: bool) -> Rows:
    """`count` rows drawn uniformly between `low` and `high` [features], a tenth of their values missing if allowed."""
    generator = np.random.default_rng(seed)
    # As low + share * width, which can't overflow where the width itself would.
    share = generator.random((count, len(low)))
    rows = (low * (1 - share) + high * share).astype(np.float32)
    if missing:
        rows[generator.random(rows.shape) < 0.1] = np.nan
    return rows


def threshold_rows(estimator: Any, typical: Rows) -> Rows:
    """For each split of each tree, rows that reach it with its threshold and the float32 on either side.

    `typical` [features] fills the features that the path to a split leaves open. An estimator
    without trees gives no rows.
    """
    found = [row for tree, columns in _trees(estimator) for row in _rows_at_splits(tree, columns, typical)]
    if not found:
        return np.empty((0, len(typical)), dtype=np.float32)
    return np.unique(np.array(found, dtype=np.float32), axis=0)


def _trees(estimator: Any) -> Iterator[tuple[Any, NDArray[np.intp] | None]]:
    """The trees of an estimator, each with the columns of the input that it sees (None: all)."""
    if hasattr(estimator, "tree_"):
        yield estimator.tree_, None
    members = np.ravel(np.array(getattr(estimator, "estimators_", []), dtype=object))
    columns = getattr(estimator, "estimators_features_", [None] * len(members))
    for member, seen in zip(members, columns, strict=True):
        if hasattr(member, "tree_"):
            yield member.tree_, seen


def _rows_at_splits(tree: Any, columns: NDArray[np.intp] | None, typical: Rows) -> Iterator[Rows]:
    """Walk the tree with the interval (low, high] that each feature is confined to on the way."""
    infinity = np.full(len(typical), np.inf)
    waiting = [(0, -infinity, infinity)]
    while waiting:
        node, low, high = waiting.pop()
        if tree.children_left[node] == tree.children_right[node]:
            continue
        feature = tree.feature[node] if columns is None else columns[tree.feature[node]]
        threshold = tree.threshold[node]
        row = _inside(typical, low, high)
        middle = np.float32(threshold)
        for value in (np.nextafter(middle, np.float32(-np.inf)), middle, np.nextafter(middle, np.float32(np.inf))):
            changed = row.copy()
            changed[feature] = value
            yield changed
        below, above = high.copy(), low.copy()
        below[feature], above[feature] = threshold, threshold
        waiting.append((int(tree.children_left[node]), low, below))
        waiting.append((int(tree.children_right[node]), above, high))


def _inside(typical: Rows, low: NDArray[np.float64], high: NDArray[np.float64]) -> Rows:
    """`typical`, moved into (low, high] where it lies outside, as float32."""
    bottom, top = low.astype(np.float32), high.astype(np.float32)
    bottom = np.where(bottom <= low, np.nextafter(bottom, np.float32(np.inf)), bottom)
    top = np.where(top > high, np.nextafter(top, np.float32(-np.inf)), top)
    row: Rows = np.clip(typical, bottom, top)
    return row
