"""Prometheus metrics, exported by prometheus-flask-exporter under its own names.

The exporter's default metrics are recorded by one call at the end of a request, with the label
look-ups kept, instead of by its three hooks (docs/adr/0004-request-path.md has the measurement).
"""

import time
from typing import Any

import numpy as np
from flask import Response
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_flask_exporter import PrometheusMetrics

from functions.model import Model
from functions.request import ServingRequest

LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds. The service answers in under a millisecond, so the buckets start there."""

CONFIDENCE_BUCKETS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"
UNMATCHED_RULE = "unmatched"


class ServiceMetrics:
    """All metrics of one app, in a registry of its own."""

    def __init__(self) -> None:
        """Declare the metrics; labels take values from bounded sets only."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        # without an app the exporter registers no hooks and no route
        self._exporter = PrometheusMetrics(app=None, registry=self.registry)
        self._exporter.info(
            "flask_exporter_info", "Information about the Prometheus Flask exporter", version=self._exporter.version
        )
        self._durations = Histogram(
            "flask_http_request_duration_seconds",
            "Flask HTTP request duration in seconds",
            ("method", "url_rule", "status"),
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._requests = Counter(
            "flask_http_request_total", "Total number of HTTP requests", ("method", "status"), registry=self.registry
        )
        self._exceptions = Counter(
            "flask_http_request_exceptions_total",
            "Total number of HTTP requests which resulted in an exception",
            ("method", "status"),
            registry=self.registry,
        )
        self._errors = Counter(
            "api_errors_total", "Requests answered with an error", ("error_type", "endpoint"), registry=self.registry
        )
        self._predictions = Counter(
            "model_predictions_total", "Predictions made", ("predicted_class",), registry=self.registry
        )
        self._confidence = Histogram(
            "model_confidence",
            "Probability of the predicted class",
            ("predicted_class",),
            buckets=CONFIDENCE_BUCKETS,
            registry=self.registry,
        )
        self._loaded = Gauge("model_loaded", "1 when a model can answer, else 0", registry=self.registry)
        self._info = Gauge("model_info", "The model that answers", ("version", "run_id"), registry=self.registry)
        self._reloads = Counter(
            "model_reloads_total", "Checks that found another bundle, or none", ("outcome",), registry=self.registry
        )
        self._by_response: dict[tuple[str, str, int], tuple[Histogram, Counter]] = {}
        self._by_class: list[tuple[Counter, Histogram]] = []

    def serve_model(self, model: Model | None) -> None:
        """Show `model` as the one that answers; its classes count from zero."""
        self._loaded.set(model is not None)
        self._info.clear()
        if model is None:
            return
        self._info.labels(model.version, model.metadata.mlflow_run_id).set(1)
        self._by_class = [(self._predictions.labels(key), self._confidence.labels(key)) for key in model.target_keys]

    def count_reload(self, outcome: str) -> None:
        """Count a check of the model's source that loaded a bundle, refused it, or could not reach it."""
        self._reloads.labels(outcome).inc()

    def count_prediction(self, index: int, confidence: float) -> None:
        """Count one prediction of the class at `index`."""
        predictions, confidences = self._by_class[index]
        predictions.inc()
        confidences.observe(confidence)

    def count_predictions(self, classes: NDArray[np.intp], confidences: NDArray[np.float32]) -> None:
        """Count the predictions of a batch: the class of each row, and its probability."""
        for index in np.unique(classes).tolist():
            values = confidences[classes == index]
            self._by_class[index][0].inc(values.size)
            observe_many(self._by_class[index][1], values)

    def count_response(self, request: ServingRequest, response: Response) -> float:
        """Count one answered request; returns how long it took, in seconds."""
        elapsed = time.perf_counter() - request.started
        rule = request.url_rule
        key = (request.method, rule.rule if rule else UNMATCHED_RULE, response.status_code)
        children = self._by_response.get(key)
        if children is None:
            children = self._children(*key)
        children[0].observe(elapsed)
        children[1].inc()
        if request.error_kind:
            self._errors.labels(request.error_kind, key[1]).inc()
        return elapsed

    def count_exception(self, request: ServingRequest) -> None:
        """Count a request that ended in an exception which nothing expected."""
        self._exceptions.labels(_method(request.method), 500).inc()

    def exposition(self, accept: str | None) -> tuple[str, str]:
        """All metrics as text, and its content type, in the format that `accept` prefers."""
        content: tuple[str, str] = self._exporter.generate_metrics(accept)
        return content

    def _children(self, method: str, rule: str, status: int) -> tuple[Histogram, Counter]:
        known: Any = _method(method)
        children = (self._durations.labels(known, rule, status), self._requests.labels(known, status))
        if known == method:
            self._by_response[method, rule, status] = children
        return children


def observe_many(histogram: Histogram, values: NDArray[np.float32]) -> None:
    """Observe an array at once; prometheus_client has a call for single values only, 8 ms for 10,000 of them."""
    buckets = np.searchsorted(np.array(histogram._upper_bounds), values, side="left")
    for index, number in zip(*np.unique(buckets, return_counts=True), strict=True):
        histogram._buckets[index].inc(int(number))
    histogram._sum.inc(float(values.sum(dtype=np.float64)))


def _method(name: str) -> str:
    return name if name in METHODS else OTHER_METHOD
