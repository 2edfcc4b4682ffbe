"""A model as the service uses it: verified, in memory, with its own request and answer forms."""

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from functions.bundle.files import MODEL_FILE, Bundle, BundleError, read_bundle
from functions.bundle.runtime import load_classifier
from functions.inference import TensorInterface
from functions.instances import InstanceDecoder

Floats = NDArray[np.float32]

DIGITS = 6
"""Decimals of an answered probability; the exported model is proved to 1e-5 (bundle.runtime.TOLERANCE)."""


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
        self.probabilities = load_classifier(bundle).probabilities
        self.tensors = TensorInterface(bundle.metadata, max_rows)
        self._encode = msgspec.json.Encoder().encode

    @classmethod
    def from_folder(cls, folder: Path, max_rows: int) -> "Model":
        """Load the bundle in `folder`.

        Raises:
            BundleError: the bundle is incomplete, damaged, or its model can't be loaded.
        """
        bundle = read_bundle(folder)
        try:
            return cls(bundle, source=str(folder), max_rows=max_rows)
        except BundleError as error:
            raise BundleError(f"{folder / MODEL_FILE}: {error}") from error

    def answer_one(self, row: Floats) -> tuple[bytes, int, float]:
        """The encoded prediction for one row [1, features], its class and its confidence."""
        raw: list[float] = self.probabilities(row)[0].tolist()
        index = raw.index(max(raw))
        rounded = [round(probability, DIGITS) for probability in raw]
        prediction = {
            "prediction": self._labels[index],
            "confidence": rounded[index],
            "probabilities": dict(zip(self.target_keys, rounded, strict=True)),
        }
        return self._encode(prediction), index, raw[index]

    def answer_many(self, rows: Floats) -> tuple[bytes, NDArray[np.intp], Floats]:
        """The encoded predictions for rows [n, features], their classes and their confidences."""
        raw = self.probabilities(rows)
        classes = raw.argmax(axis=1)
        rounded = raw.astype(np.float64).round(DIGITS).tolist()
        keys, labels = self.target_keys, self._labels
        predictions = [
            {"prediction": labels[index], "confidence": row[index], "probabilities": dict(zip(keys, row, strict=True))}
            for index, row in zip(classes.tolist(), rounded, strict=True)
        ]
        return self._encode({"predictions": predictions}), classes, raw.max(axis=1)
