"""A model as the service uses it: verified, in memory, with its own request and answer forms."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from functions.answers import AnswerEncoder
from functions.bundle.files import MODEL_FILE, Bundle, BundleError, Candidate, read_bundle
from functions.bundle.runtime import load_classifier
from functions.inference import TensorInterface
from functions.instances import InstanceDecoder

Floats = NDArray[np.float32]


class Model:
    """One version of the model; immutable, so that a request keeps the one that it started with."""

    def __init__(self, bundle: Candidate, source: str, max_rows: int, stands_in_for: str | None = None) -> None:
        """Load and prove `bundle`. Without scores its `metrics` are None.

        `source` says where it came from, `stands_in_for` where the one lies that is asked for, if that is another.

        Raises:
            BundleError: the model can't be loaded or fails its golden examples.
        """
        try:
            classifier = load_classifier(bundle)
        except BundleError as error:
            raise BundleError(f"{source}/{MODEL_FILE}: {error}") from error
        self.metadata = bundle.metadata
        self.metrics = bundle.metrics if isinstance(bundle, Bundle) else None
        self.source = source
        self.stands_in_for = stands_in_for
        self.version = bundle.metadata.version
        self.target_keys = bundle.metadata.target_keys
        self.decode = InstanceDecoder(bundle.metadata.features, max_rows).decode
        self._answers = AnswerEncoder(bundle.metadata.target_names)
        self.probabilities = classifier.probabilities
        self.tensors = TensorInterface(bundle.metadata, max_rows)

    @classmethod
    def from_folder(cls, folder: Path, max_rows: int) -> "Model":
        """Load the bundle in `folder`.

        Raises:
            BundleError: the bundle is incomplete, damaged, or its model can't be loaded.
        """
        return cls(read_bundle(folder), source=str(folder), max_rows=max_rows)

    def answer_one(self, row: Floats) -> tuple[bytes, int, float]:
        """The encoded prediction for one row [1, features], its class and its confidence."""
        probabilities: list[float] = self.probabilities(row)[0].tolist()
        confidence = max(probabilities)
        index = probabilities.index(confidence)
        return self._answers.one(index, probabilities), index, confidence

    def answer_many(self, rows: Floats) -> tuple[bytes, NDArray[np.intp], Floats]:
        """The encoded predictions for rows [n, features], their classes and their confidences."""
        probabilities = self.probabilities(rows)
        classes = probabilities.argmax(axis=1)
        return self._answers.many(classes, probabilities), classes, probabilities.max(axis=1)
