"""Cross-origin requests (https://fetch.spec.whatwg.org/#http-cors-protocol), without credentials.

Costs a request without an Origin header one look-up.
"""

from collections.abc import Sequence

from flask import Response

from functions.guard import KEY_HEADER
from functions.request import ServingRequest

ANY = "*"
_METHODS = "GET, POST"
_REQUEST_HEADERS = f"Content-Type, {KEY_HEADER}, X-Request-ID, traceparent"
_RESPONSE_HEADERS = "X-Request-ID, X-Model-Version, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining"
_PREFLIGHT_SECONDS = "600"


class Cors:
    """Allows the pages of some origins to call the service."""

    def __init__(self, origins: Sequence[str]) -> None:
        """Allow `origins`, or every page if `*` is among them."""
        self._any = ANY in origins
        self._origins = frozenset(origins)

    def allow(self, request: ServingRequest, response: Response) -> None:
        """Add the headers that let the browser hand `response` to the page, if its origin is allowed."""
        origin = request.environ.get("HTTP_ORIGIN")
        if origin is None:
            return
        headers = response.headers
        if not self._any:
            headers.add("Vary", "Origin")
        if not self._any and origin not in self._origins:
            return
        headers["Access-Control-Allow-Origin"] = ANY if self._any else origin
        if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.environ:
            headers["Access-Control-Allow-Methods"] = _METHODS
            headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
            headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
        else:
            headers["Access-Control-Expose-Headers"] = _RESPONSE_HEADERS
