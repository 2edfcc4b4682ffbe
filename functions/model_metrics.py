"""What the models that answered did: predictions, confidence, and live values beside those of training.

Each series carries the model's version, so that a request which began with one model counts for it even
when another has taken its place. Live values are counted in the bins of the bundle's reference
distributions; Prometheus computes drift from the counters (docs/observability.md).
"""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from functions.bundle.metadata import Distribution
from functions.errors import REFUSALS, Refusal
from functions.model import Model

CONFIDENCE_BUCKETS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)

SCORES = ("accuracy", "precision", "recall", "f1_score")
"""The scores of metrics.json that are shown."""

MISSING_BIN = "missing"

KEPT_VERSIONS = 3
"""Versions whose series are kept: the one that answers, and those before it."""

PENDING_ROWS = 256
"""Single predictions that are counted together: counting one alone takes longer than predicting it."""

Floats = NDArray[np.float32]
Classes = NDArray[np.intp]


class _Prediction(NamedTuple):
    version: str
    row: Floats
    class_index: int
    confidence: float


class _Declared:
    """The metrics that carry a version."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counted = ("version", "predicted_class")
        self.info = Gauge(
            "model_info",
            "1 for the model that answers, 0 for those before it",
            ("version", "run_id"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.score = Gauge(
            "model_score",
            "Score of the model on held-out rows, from its bundle",
            ("version", "score"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.predictions = Counter("model_predictions_total", "Predictions made", counted, registry=registry)
        self.confidence = Histogram(
            "model_confidence",
            "Probability of the predicted class",
            counted,
            buckets=CONFIDENCE_BUCKETS,
            registry=registry,
        )
        self.predictions_reference = Gauge(
            "model_predictions_reference_ratio",
            "Share of each class in the model's predictions on its training rows",
            counted,
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.values = Counter(
            "model_feature_values_total",
            "Values of predicted rows, by bin of the training distribution; the bin is its upper edge",
            ("version", "feature", "bin"),
            registry=registry,
        )
        self.values_reference = Gauge(
            "model_feature_reference_ratio",
            "Share of each bin in the training distribution",
            ("version", "feature", "bin"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.refused = Counter(
            "model_feature_refused_total",
            "Values for which a request was refused",
            ("version", "feature", "reason"),
            registry=registry,
        )

    def remove(self, version: str) -> None:
        """Forget the version's series."""
        for metric in vars(self).values():
            metric.remove_by_labels({"version": version})


class _Version:
    """The series of one version, all of them there from the start: one first seen at 100 has no increase."""

    def __init__(self, declared: _Declared, model: Model) -> None:
        version, metadata = model.version, model.metadata
        self.info = declared.info.labels(version, metadata.mlflow_run_id)
        for score in SCORES if model.metrics else ():
            declared.score.labels(version, score).set(getattr(model.metrics, score))
        self._classes = [
            (declared.predictions.labels(version, key), declared.confidence.labels(version, key))
            for key in model.target_keys
        ]
        for key, share in zip(model.target_keys, _shares(metadata.target_reference), strict=True):
            declared.predictions_reference.labels(version, key).set(share)
        self._edges = [np.array([*f.reference.edges, np.inf], dtype=np.float32) for f in metadata.features]
        self._bins = []
        for feature in metadata.features:
            names, counts = bins(feature.reference)
            self._bins.append([declared.values.labels(version, feature.name, name) for name in names])
            for name, share in zip(names, _shares(counts), strict=True):
                declared.values_reference.labels(version, feature.name, name).set(share)
        self.refused = {
            Refusal(name, reason): declared.refused.labels(version, name, reason)
            for name in metadata.feature_names
            for reason in REFUSALS
        }

    def count(self, rows: Floats, classes: Classes, confidences: Floats) -> None:
        """Count predictions: their rows [n, features], and the class and probability of each."""
        for index, number in enumerate(np.bincount(classes).tolist()):
            if number:
                predictions, confidence = self._classes[index]
                predictions.inc(number)
                observe_many(confidence, confidences[classes == index])
        for edges, counters, column in zip(self._edges, self._bins, rows.T, strict=True):
            # NaN, a missing value, comes after infinity: in the last bin
            for counter, number in zip(counters, np.bincount(np.searchsorted(edges, column)).tolist(), strict=False):
                if number:
                    counter.inc(number)


class ModelMetrics:
    """The metrics of the versions that answer or have answered lately."""

    def __init__(self, registry: CollectorRegistry, *, shared: bool) -> None:
        """Declare the metrics in `registry`; if `shared` with other processes, nothing waits to be counted."""
        self._shared = shared
        self._loaded = Gauge(
            "model_loaded", "1 when a model can answer, else 0", registry=registry, multiprocess_mode="livemin"
        )
        self._declared = _Declared(registry)
        self._versions: dict[str, _Version] = {}
        self._pending: deque[_Prediction] = deque()
        self._pending_limit = 1 if shared else PENDING_ROWS
        self._lock = threading.Lock()
        self._dropped: set[str] = set()

    def serve(self, model: Model | None) -> None:
        """Show `model` as the one that answers; its counters start at zero, or go on if it has answered before."""
        others = dict(self._versions)
        if model is not None:
            served = others.pop(model.version, None) or _Version(self._declared, model)
            served.info.set(1)
            versions = [*others.items(), (model.version, served)]
            # requests go on with the dict that they have
            self._versions = dict(versions[-KEPT_VERSIONS:])
            self._dropped.discard(model.version)
            self._drop(version for version, _ in versions[:-KEPT_VERSIONS])
        self._loaded.set(model is not None)
        for other in others.values():
            other.info.set(0)

    def is_shown(self, labels: Mapping[str, str]) -> bool:
        """Whether a series is of a version that is kept, or of none."""
        return labels.get("version") not in self._dropped

    def count_one(self, version: str, row: Floats, index: int, confidence: float) -> None:
        """Count the prediction of the class at `index` for one row [1, features]."""
        pending = self._pending
        pending.append(_Prediction(version, row, index, confidence))
        if len(pending) >= self._pending_limit:
            self.count_pending()

    def count_many(self, version: str, rows: Floats, classes: Classes, confidences: Floats) -> None:
        """Count the predictions for rows [n, features], with the class and the probability of each."""
        counted = self._versions.get(version)
        if counted:
            counted.count(rows, classes, confidences)

    def count_refused(self, version: str, refused: Mapping[Refusal, int]) -> None:
        """Count values for which a request was refused."""
        counted = self._versions.get(version)
        if counted:
            for refusal, number in refused.items():
                counted.refused[refusal].inc(number)

    def count_pending(self) -> None:
        """Count the single predictions that wait: afterwards the counters have every one that was answered."""
        with self._lock:
            pending = [self._pending.popleft() for _ in range(len(self._pending))]
            for version in {prediction.version for prediction in pending}:
                _, rows, classes, confidences = zip(*(one for one in pending if one.version == version), strict=True)
                self.count_many(
                    version, np.concatenate(rows), np.array(classes), np.array(confidences, dtype=np.float32)
                )

    def _drop(self, versions: Iterable[str]) -> None:
        for version in versions:
            if self._shared:
                # prometheus_client can't remove from files that other processes read: they are left out when shown
                self._dropped.add(version)
            else:
                self._declared.remove(version)


def bins(reference: Distribution) -> tuple[list[str], list[int]]:
    """The names of a distribution's bins and their counts: a name is the bin's upper edge, the last is MISSING_BIN."""
    return [*map(str, reference.edges), "+Inf", MISSING_BIN], [*reference.counts, reference.missing]


def observe_many(histogram: Histogram, values: Floats) -> None:
    """Observe an array at once; prometheus_client has a call for single values only, 8 ms for 10,000 of them."""
    buckets = np.searchsorted(histogram._upper_bounds, values, side="left")
    for bucket, number in zip(histogram._buckets, np.bincount(buckets).tolist(), strict=False):
        if number:
            bucket.inc(number)
    histogram._sum.inc(float(values.sum(dtype=np.float64)))


def _shares(counts: list[int]) -> list[float]:
    total = sum(counts) or 1
    return [count / total for count in counts]
