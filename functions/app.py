"""The Flask app, put together from its parts.

The path of a request: `_open` identifies and times it; a route admits the caller (guard), decodes
the rows (instances), predicts (model) and counts (metrics); `_close` adds the headers that every
answer carries, counts the answer and writes the access log's line.
"""

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from functions import logs
from functions.access_log import AccessLog
from functions.api import about, documentation, health, monitoring, predictions
from functions.auth import ApiKeys
from functions.bundle.files import BundleError
from functions.cors import Cors
from functions.errors import PROBLEM_JSON, Problem, problem_body
from functions.guard import Guard
from functions.limits import Limits
from functions.metrics import ServiceMetrics
from functions.model import Model
from functions.request import ServingRequest, current_request
from functions.service import Service
from functions.settings import InvalidSettings, Settings

_BLUEPRINTS = (about.blueprint, health.blueprint, predictions.blueprint, monitoring.blueprint, documentation.blueprint)
_SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TRANSPORT_SECURITY = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}

logger = logging.getLogger(__name__)


class ServingApp(Flask):
    """Flask with the service's request class, and without its search for coroutines: no view is one."""

    request_class = ServingRequest

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Give `func` back as it is."""
        return func


def create_app(settings: Settings, model: Model | None, access_log: AccessLog | None = None) -> Flask:
    """An app that serves `model`, or says that there is none.

    Makes its own limits and metrics, so that two apps in one process share nothing.
    """
    app = ServingApp("functions", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes
    limits = Limits(app, settings)
    metrics = ServiceMetrics()
    metrics.serve_model(model)
    guard = Guard(
        ApiKeys(settings.api_keys), limits, authenticated=settings.authenticated, per_client=not settings.vertex_ai
    )
    service = Service(settings=settings, model=model, guard=guard, limits=limits, metrics=metrics)
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint(service))
    _register_errors(app, metrics)
    _register_close(
        app, settings, metrics, access_log or AccessLog(sys.stdout.buffer, settings.log_level, settings.project)
    )
    if settings.trusted_proxy_hops:
        hops = settings.trusted_proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    return app


def from_environment() -> Flask:
    """The app that the environment describes: what flask run, the server and functions-framework start.

    Raises:
        SystemExit: the environment can't be used; the message lists every fault.
    """
    try:
        settings = Settings.from_environ(os.environ)
    except InvalidSettings as error:
        raise SystemExit(str(error)) from None
    logs.configure(settings.log_level)
    model = load_model(settings)
    for warning in start_warnings(settings):
        logger.warning(warning)
    return create_app(settings, model)


def load_model(settings: Settings) -> Model | None:
    """The model that the settings name, or None, with the reason in the log: the service starts all the same."""
    try:
        model = Model.from_folder(settings.model_dir, settings.max_batch_rows)
    except BundleError as error:
        logger.error("no model is served", extra={"reason": str(error), "remedy": "train one with `make train`"})
        return None
    logger.info("model loaded", extra={"model": model.metadata.name, "model_version": model.version})
    return model


def start_warnings(settings: Settings) -> list[str]:
    """What an operator should know at start."""
    warnings = []
    if not settings.authenticated and not settings.vertex_ai:
        warnings.append("no API_KEY is set: everyone who reaches this server may predict")
    if settings.workers > 1 and settings.ratelimit_storage_uri.startswith("memory://"):
        warnings.append("the limits count per process: with WORKERS > 1, set RATELIMIT_STORAGE_URI to a Redis")
    elif settings.production and settings.ratelimit_storage_uri.startswith("memory://"):
        warnings.append("the limits count per instance: with several instances, set RATELIMIT_STORAGE_URI to a Redis")
    return warnings


def _register_close(app: Flask, settings: Settings, metrics: ServiceMetrics, access_log: AccessLog) -> None:
    security = _SECURITY_HEADERS | (_TRANSPORT_SECURITY if settings.production else {})
    cors = Cors(settings.cors_origins)

    @app.before_request
    def _open() -> None:
        current_request().open()

    @app.after_request
    def _close(response: Response) -> Response:
        request = current_request()
        headers = response.headers
        for name, value in security.items():
            headers.setdefault(name, value)
        headers["X-Request-ID"] = request.request_id
        if request.model_version:
            headers["X-Model-Version"] = request.model_version
        if request.standing:
            headers["X-RateLimit-Limit"] = str(request.standing.limit)
            headers["X-RateLimit-Remaining"] = str(request.standing.remaining)
        cors.allow(request, response)
        access_log.log(request, response, metrics.count_response(request, response))
        return response


def _register_errors(app: Flask, metrics: ServiceMetrics) -> None:
    def answer(status: int, kind: str, detail: str, problem: Problem | None = None) -> Response:
        request = current_request()
        request.error_kind = kind
        body = problem_body(status, kind, detail, request.request_id, problem.faults if problem else None)
        return Response(body, status, problem.headers if problem else None, content_type=PROBLEM_JSON)

    @app.errorhandler(Problem)
    def _problem(problem: Problem) -> Response:
        return answer(problem.status, problem.kind, problem.detail, problem)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = error.code or 500
        response = answer(status, error.name.lower().replace(" ", "-"), error.description or error.name)
        for name, value in error.get_headers():
            if name != "Content-Type":
                response.headers.add(name, value)
        return response

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        request = current_request()
        metrics.count_exception(request)
        logger.error("request failed", exc_info=error, extra={"request_id": request.request_id})
        return answer(500, "internal-error", "the service failed; its log has more under this request's id")
