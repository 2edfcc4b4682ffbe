"""A bundle's model on labelled rows: answers, ROC curves and feature importance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from functions.bundle.metadata import Label, label_key
from functions.bundle.runtime import Classifier
from pipeline.metrics import Floats, Ints, RocCurve, confusion_matrix, permutation_importance, roc_curve
from pipeline.table import Table


@dataclass(frozen=True)
class Assessment:
    """What the exported model makes of the test rows."""

    features: list[str]
    class_keys: list[str]
    truth: Ints
    predicted: Ints
    confusion: Ints
    roc: list[RocCurve]
    importance: Floats


def assess(classifier: Classifier, test: Table, classes: list[Label], repeats: int, seed: int) -> Assessment:
    """Judge the exported model on the test rows. Deterministic for a seed."""
    rows = test.values.astype(np.float32)
    probabilities = classifier.probabilities(rows)
    truth, predicted = indices(test.labels, classes), decide(probabilities)
    return Assessment(
        features=test.features,
        class_keys=[label_key(label) for label in classes],
        truth=truth,
        predicted=predicted,
        confusion=confusion_matrix(truth, predicted, len(classes)),
        roc=[roc_curve(truth == index, probabilities[:, index]) for index in range(len(classes))],
        importance=permutation_importance(
            lambda shuffled: decide(classifier.probabilities(shuffled)), rows, truth, repeats, seed
        ),
    )


def decide(probabilities: NDArray[np.float32]) -> Ints:
    """The service's decision: the class with the highest probability, as an index."""
    best: Ints = probabilities.argmax(axis=1).astype(np.int64)
    return best


def indices(labels: list[Label], classes: list[Label]) -> Ints:
    """Labels as indices into `classes`."""
    place = {label: index for index, label in enumerate(classes)}
    return np.array([place[label] for label in labels], dtype=np.int64)
