"""The Flask app, put together from its parts.

The path of a request: it is identified and timed (exchange); a route admits the caller (guard),
decodes the rows (instances), predicts (model) and counts (metrics); the answer gets its standard
headers, is counted and logged (exchange).
"""

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from functions import error_handlers, exchange, logs
from functions.access_log import AccessLog
from functions.api import about, documentation, health, monitoring, open_inference, predictions
from functions.auth import ApiKeys
from functions.bundle.files import BundleError
from functions.guard import Guard
from functions.limits import Limits
from functions.metrics import ServiceMetrics
from functions.model import Model
from functions.request import ServingRequest
from functions.response import ServingResponse
from functions.service import Service
from functions.settings import IN_MEMORY, Settings
from functions.variables import InvalidSettings

_BLUEPRINTS = tuple(
    module.blueprint for module in (about, health, predictions, open_inference, monitoring, documentation)
)
logger = logging.getLogger(__name__)


class ServingApp(Flask):
    """Flask with the service's request and response, and without its search for coroutines: no view is one."""

    request_class = ServingRequest
    response_class = ServingResponse

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Give `func` back as it is."""
        return func


def create_app(settings: Settings, model: Model | None, access_log: AccessLog | None = None) -> Flask:
    """An app that serves `model`, or says that there is none.

    Makes its own limits and metrics, so that two apps in one process share nothing.
    """
    app = ServingApp("functions", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes
    metrics = ServiceMetrics(settings.metrics_dir)
    metrics.serve_model(model)
    limits = Limits(app, settings, metrics)
    guard = Guard(
        ApiKeys(settings.api_keys), limits, authenticated=settings.authenticated, per_client=not settings.vertex_ai
    )
    service = Service(settings=settings, model=model, guard=guard, limits=limits, metrics=metrics)
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint(service))
    predicting = [rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    metrics.expect_errors([*predicting, about.MODEL_INFO])
    error_handlers.register(app, metrics)
    log = access_log or AccessLog(sys.stdout.buffer, settings.log_level, settings.project)
    exchange.register(app, settings, metrics, log)
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
    if settings.workers > 1 and settings.ratelimit_storage_uri.startswith(IN_MEMORY):
        warnings.append("the limits count per process: with WORKERS > 1, set RATELIMIT_STORAGE_URI to a Redis")
    elif settings.production and settings.ratelimit_storage_uri.startswith(IN_MEMORY):
        warnings.append("the limits count per instance: with several instances, set RATELIMIT_STORAGE_URI to a Redis")
    return warnings
