"""A model as the service uses it: verified, in memory, with its own request and answer forms."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from functions.bundle.files import Bundle, read_bundle
from functions.bundle.runtime import load_classifier
from functions.instances import InstanceDecoder, Rows

Floats = NDArray[np.float32]

DIGITS = 6
"""Decimals of an answered probability; the exported model is proved to 1e-5 (bundle.runtime.TOLERANCE)."""


class Answer(msgspec.Struct, frozen=True):
    """Predictions for some rows, encoded, with what the metrics count of them."""

    body: bytes
    classes: list[int]
    confidences: list[float]


class Model:
    """One version of the model; immutable, so that a request keeps the one that it started with."""

    def __init__(self, bundle: Bundle, source: str, max_rows: int) -> None:
        """Load and prove `bundle`; `source` says where it came from.

        Raises:
            BundleError: the model can't be loaded or fails its golden examples.
        """
        self.metadata = bundle.metadata
        self.metrics = bundle.metrics
        self.source = source
        self.version = bundle.metadata.version
        self.target_keys = bundle.metadata.target_keys
        self.decode = InstanceDecoder(bundle.metadata.features, max_rows).decode
        self._labels = bundle.metadata.target_names
        self._probabilities = load_classifier(bundle).probabilities
        self._encode = msgspec.json.Encoder().encode

    @classmethod
    def from_folder(cls, folder: Path, max_rows: int) -> "Model":
        """Load the bundle in `folder`.

        Raises:
            BundleError: the bundle is incomplete, damaged, or its model can't be loaded.
        """
        return cls(read_bundle(folder), source=str(folder), max_rows=max_rows)

    def predict(self, rows: Rows) -> Answer:
        """Answer rows in the form in which they were asked: one prediction, or `predictions`."""
        probabilities = self._probabilities(rows.values)
        if not rows.batch:
            return self._one(probabilities[0].tolist())
        classes = probabilities.argmax(axis=1).tolist()
        rounded = probabilities.astype(np.float64).round(DIGITS)
        confidences = rounded.max(axis=1).tolist()
        keys, labels = self.target_keys, self._labels
        predictions = [
            {"prediction": labels[index], "confidence": confidence, "probabilities": dict(zip(keys, row, strict=True))}
            for index, confidence, row in zip(classes, confidences, rounded.tolist(), strict=True)
        ]
        return Answer(self._encode({"predictions": predictions}), classes, confidences)

    def _one(self, row: list[float]) -> Answer:
        index = row.index(max(row))
        row = [round(probability, DIGITS) for probability in row]
        confidence = row[index]
        prediction: dict[str, Any] = {
            "prediction": self._labels[index],
            "confidence": confidence,
            "probabilities": dict(zip(self.target_keys, row, strict=True)),
        }
        return Answer(self._encode(prediction), [index], [confidence])
