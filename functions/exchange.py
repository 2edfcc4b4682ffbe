"""Around every request: it is identified and timed; its answer gets the standard headers, is counted and logged."""

from flask import Flask

from functions.access_log import AccessLog
from functions.cors import Cors
from functions.metrics import ServiceMetrics
from functions.request import current_request
from functions.response import ServingResponse
from functions.settings import Settings

_SECURITY_HEADERS = [
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
]
_TRANSPORT_SECURITY = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")


def register(app: Flask, settings: Settings, metrics: ServiceMetrics, access_log: AccessLog) -> None:
    """Put the opening and the closing of a request around all routes of `app`."""
    security = [*_SECURITY_HEADERS, *([_TRANSPORT_SECURITY] if settings.production else [])]
    cors = Cors(settings.cors_origins)

    @app.before_request
    def _open() -> None:
        current_request().open()

    @app.after_request
    def _close(response: ServingResponse) -> ServingResponse:
        request = current_request()
        headers = [*security, ("X-Request-ID", request.request_id)]
        if request.model_version:
            headers.append(("X-Model-Version", request.model_version))
        if request.standing:
            limit, remaining = request.standing
            headers += (("X-RateLimit-Limit", str(limit)), ("X-RateLimit-Remaining", str(remaining)))
        headers += cors.headers(request)
        response.standard = headers
        access_log.log(request, response, metrics.count_response(request, response))
        return response
