"""GET /health for people and monitors, /health/live and /health/ready for probes."""

from http import HTTPStatus

import msgspec
from flask import Blueprint

from functions import __version__
from functions.request import JSON, current_request
from functions.response import ServingResponse
from functions.service import Service

HEALTH, LIVE, READY = "/health", "/health/live", "/health/ready"


def blueprint(service: Service) -> Blueprint:
    """The health routes; probes are not limited, and carry no detail."""
    routes = Blueprint("health", __name__)

    @routes.get(HEALTH)
    def health() -> ServingResponse:
        service.guard.limit_client(current_request(), service.limits.health)
        ready, loaded = service.ready, service.model is not None
        status = "healthy" if ready else "unhealthy"
        return _answer({"status": status, "model_loaded": loaded, "version": __version__}, available=ready)

    @routes.get(LIVE)
    def live() -> ServingResponse:
        return _answer({"status": "alive"}, available=True)

    def ready() -> ServingResponse:
        available = service.ready
        return _answer({"status": "ready" if available else "not ready"}, available=available)

    for path in {READY, service.settings.health_route}:
        routes.get(path)(ready)
    return routes


def _answer(body: dict[str, str | bool], *, available: bool) -> ServingResponse:
    status = HTTPStatus.OK if available else HTTPStatus.SERVICE_UNAVAILABLE
    return ServingResponse(msgspec.json.encode(body), status=status, content_type=JSON)
