"""The Flask app, put together from its parts.

The path of a request: it is identified and timed (exchange); a route admits the caller (guard),
decodes the rows (instances), predicts (model) and counts (metrics); the answer gets its standard
headers, is counted and logged (exchange).
"""

import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from functions import error_handlers, exchange, logs
from functions.access_log import AccessLog
from functions.api import about, documentation, health, monitoring, open_inference, predictions
from functions.auth import ApiKeys
from functions.bundle.files import MODEL_FILE
from functions.bundle.sources import BundleSource, FolderSource, ModelDirectory, source_of
from functions.champion import Champion
from functions.guard import Guard
from functions.keys import KeyFile, KeySource, SecretManager, SecretVersion
from functions.limits import Limits
from functions.metrics import ServiceMetrics
from functions.request import ServingRequest
from functions.response import ServingResponse
from functions.service import Service
from functions.settings import IN_MEMORY, Settings
from functions.variables import InvalidSettings

_BLUEPRINTS = tuple(
    module.blueprint for module in (about, health, predictions, open_inference, monitoring, documentation)
)

START_SECONDS = 10.0
"""How long a start waits for model and keys. A server that listens late is taken for a broken one."""

logger = logging.getLogger(__name__)


class ServingApp(Flask):
    """Flask with the service's request and response, and without its search for coroutines: no view is one."""

    request_class = ServingRequest
    response_class = ServingResponse

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Give `func` back as it is."""
        return func


def create_app(
    settings: Settings, champion: Champion, access_log: AccessLog | None = None, keys: ApiKeys | None = None
) -> Flask:
    """An app that serves the champion, or says that there is none, to those who have one of `keys`.

    Makes its own limits and metrics, so that two apps in one process share nothing.
    """
    app = ServingApp("functions", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes
    metrics = ServiceMetrics(settings.metrics_dir)
    champion.observe(metrics)
    limits = Limits(app, settings, metrics)
    guard = Guard(
        ApiKeys(settings.api_keys) if keys is None else keys,
        limits,
        authenticated=settings.authenticated,
        per_client=not settings.vertex_ai,
    )
    service = Service(settings=settings, champion=champion, guard=guard, limits=limits, metrics=metrics)
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint(service))
    predicting = [rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    metrics.start_counts(predicting, [about.MODEL_INFO])
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
    for warning in start_warnings(settings):
        logger.warning(warning)
    champion, keys = make_champion(settings), make_keys(settings)
    app = create_app(settings, champion, keys=keys)
    prepare(champion, keys, settings)
    return app


def bundle_source(settings: Settings) -> BundleSource:
    """Where the settings say that the bundle is; nothing is read yet."""
    if settings.bundle_uri:
        return source_of(settings.bundle_uri)
    return ModelDirectory(settings.model_dir, settings.artifact_root)


def make_champion(settings: Settings) -> Champion:
    """The champion that the settings describe; nothing is loaded yet."""
    reload_seconds = settings.model_reload_seconds if settings.bundle_uri else 0
    return Champion(source=bundle_source(settings), max_rows=settings.max_batch_rows, reload_seconds=reload_seconds)


def key_sources(settings: Settings) -> list[KeySource]:
    """The places beside the environment that hold keys; none is read yet."""
    sources: list[KeySource] = []
    if settings.authenticated and settings.api_key_file:
        sources.append(KeyFile(settings.api_key_file))
    if settings.authenticated and settings.api_key_secrets:
        manager = SecretManager()
        sources += [SecretVersion(name, manager) for name in settings.api_key_secrets]
    return sources


def make_keys(settings: Settings) -> ApiKeys:
    """The keys that the settings name; none is read yet but those in the environment."""
    return ApiKeys(settings.api_keys, key_sources(settings), production=settings.production)


def prepare(champion: Champion, keys: ApiKeys, settings: Settings, seconds: float = START_SECONDS) -> None:
    """Load model and keys, and wait so long at most: what is not there then may come while the service runs.

    While the model that the settings ask for explicitly can't be loaded, the bundle in `model_dir`
    stands in, if there is one.
    """
    deadline = time.monotonic() + seconds
    champion.start()
    keys.start()
    champion.wait(deadline - time.monotonic())
    keys.wait(deadline - time.monotonic())
    if settings.bundle_uri and (settings.model_dir / MODEL_FILE).exists():
        champion.stand_in(FolderSource(str(settings.model_dir)))


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
