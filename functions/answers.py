"""Predictions to JSON."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from functions.bundle.metadata import Label, label_key
from functions.records import record_type

DIGITS = 6
"""Decimals of an answered probability; the exported model is proved to 1e-5 (bundle.runtime.TOLERANCE)."""


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """The answer for one row."""

    prediction: Label
    confidence: float
    probabilities: Any


class AnswerEncoder:
    """Encodes the predictions of a model with these classes, in the order of its probabilities."""

    def __init__(self, labels: Sequence[Label]) -> None:
        """Prepare the form of the answers."""
        self._labels = labels
        self._probabilities = _probabilities(list(map(label_key, labels)))
        self._encode = msgspec.json.Encoder().encode

    def one(self, index: int, probabilities: Sequence[float]) -> bytes:
        """The prediction of the class at `index`."""
        rounded = [round(probability, DIGITS) for probability in probabilities]
        return self._encode(Prediction(self._labels[index], rounded[index], self._probabilities(*rounded)))

    def many(self, classes: NDArray[np.intp], probabilities: NDArray[np.float32]) -> bytes:
        """The predictions for rows: `classes` [rows] are the indices of `probabilities` [rows, classes]."""
        rounded = probabilities.astype(np.float64).round(DIGITS)
        labels = map(self._labels.__getitem__, classes.tolist())
        columns = map(self._probabilities, *rounded.T.tolist())
        return self._encode({"predictions": list(map(Prediction, labels, rounded.max(axis=1).tolist(), columns))})


def _probabilities(keys: list[str]) -> Callable[..., Any]:
    """Makes one row's probabilities by class: a structure, cheaper to make and to encode than a dict."""
    record: Callable[..., Any] | None = record_type("Probabilities", keys, [float] * len(keys))
    return record or (lambda *row: dict(zip(keys, row, strict=True)))
