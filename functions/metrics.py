"""Prometheus metrics, exported by prometheus-flask-exporter under its own names.

The exporter's default metrics are recorded by one call at the end of a request, with the label
look-ups kept, instead of by its three hooks (docs/adr/0004-request-path.md has the measurement).
"""

import time
from collections.abc import Collection, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Response
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_flask_exporter import PrometheusMetrics

from functions.champion import LOADED, REFUSED, UNREACHABLE
from functions.errors import MissingKey, NoModel, Problem, Refusal, TooManyRequests, WrongKey
from functions.model import Model
from functions.model_metrics import Classes, Floats, ModelMetrics
from functions.request import ServingRequest
from functions.shared_metrics import shared_registry

LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds. The service answers in under a millisecond, so the buckets start there."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"
UNMATCHED_RULE = "unmatched"


class ServiceMetrics:
    """All metrics of one app, in a registry of its own."""

    def __init__(self, shared_folder: Path | None = None) -> None:
        """Declare the metrics; labels take values from bounded sets only.

        `shared_folder` is where several workers count, if there are several (functions.shared_metrics).
        """
        # when a series began: as many series again, which nothing reads
        disable_created_metrics()  # type: ignore[no-untyped-call]
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
        self._reloads = Counter(
            "model_reloads_total",
            "Looks for another model that found one or failed",
            ("outcome",),
            registry=self.registry,
        )
        for outcome in (LOADED, REFUSED, UNREACHABLE):
            self._reloads.labels(outcome)
        self._limit_failures = Counter(
            "ratelimit_storage_failures_total",
            "Tries at the limits' shared storage that failed",
            registry=self.registry,
        )
        self._limits_degraded = Gauge(
            "ratelimit_storage_degraded",
            "1 while the limits count per process because their shared storage fails, else 0",
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self._models = ModelMetrics(self.registry, shared=shared_folder is not None)
        self._shown = shared_registry(shared_folder, self._models.is_shown) if shared_folder else self.registry
        self._by_response: dict[tuple[str, str, int], tuple[Histogram, Counter]] = {}

    def start_counts(self, predicting: Collection[str], others: Collection[str]) -> None:
        """Start the counts at zero that alerts watch: a series first seen at 10 has no increase.

        `predicting` are the routes of predictions, `others` those that want a key too.
        """
        for rule in predicting:
            for status in (HTTPStatus.OK, TooManyRequests.status, NoModel.status, Problem.status):
                self._children("POST", rule, status.value)
        for rule in (*predicting, *others):
            for problem in (MissingKey, WrongKey, TooManyRequests, NoModel, Problem):
                self._errors.labels(problem.kind, rule)

    def serve_model(self, model: Model | None) -> None:
        """Show `model` as the one that answers; call it before the first request that `model` answers."""
        self._models.serve(model)

    def count_prediction(self, model: Model, row: Floats, index: int, confidence: float) -> None:
        """Count what `model` predicted for one row [1, features]: the class at `index`."""
        self._models.count_one(model.version, row, index, confidence)

    def count_predictions(self, model: Model, rows: Floats, classes: Classes, confidences: Floats) -> None:
        """Count what `model` predicted for rows [n, features]: the class of each, and its probability."""
        self._models.count_many(model.version, rows, classes, confidences)

    def count_refused(self, model: Model, refused: Mapping[Refusal, int]) -> None:
        """Count values that do not fit the features of `model`."""
        self._models.count_refused(model.version, refused)

    def count_reload(self, outcome: str) -> None:
        """Count an attempt to replace the model: LOADED, REFUSED or UNREACHABLE."""
        self._reloads.labels(outcome).inc()

    def count_limit_storage_failure(self) -> None:
        """Count a call of the limits' storage that failed."""
        self._limit_failures.inc()

    def set_limits_degraded(self, degraded: bool) -> None:
        """Show whether the limits count in this process because their storage fails."""
        self._limits_degraded.set(degraded)

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
        self._models.count_pending()
        encode, content_type = choose_encoder(accept or "")
        return encode(self._shown).decode(), content_type

    def _children(self, method: str, rule: str, status: int) -> tuple[Histogram, Counter]:
        known: Any = _method(method)
        children = (self._durations.labels(known, rule, status), self._requests.labels(known, status))
        if known == method:
            self._by_response[method, rule, status] = children
        return children


def _method(name: str) -> str:
    return name if name in METHODS else OTHER_METHOD
