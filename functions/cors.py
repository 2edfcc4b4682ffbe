"""Cross-origin requests (https://fetch.spec.whatwg.org/#http-cors-protocol), without credentials.

Costs a request without an Origin header one look-up.
"""

from collections.abc import Iterable, Sequence

from functions.guard import KEY_HEADER
from functions.request import ServingRequest

ANY = "*"
_PREFLIGHT_HEADERS = (
    ("Access-Control-Allow-Methods", "GET, POST"),
    ("Access-Control-Allow-Headers", f"Content-Type, {KEY_HEADER}, X-Request-ID, traceparent"),
    ("Access-Control-Max-Age", "600"),
)
_EXPOSED_HEADERS = (
    "Access-Control-Expose-Headers",
    "X-Request-ID, X-Model-Version, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining",
)


class Cors:
    """Allows the pages of some origins to call the service."""

    def __init__(self, origins: Sequence[str]) -> None:
        """Allow `origins`, or every page if `*` is among them."""
        self._any = ANY in origins
        self._origins = frozenset(origins)

    def headers(self, request: ServingRequest) -> Iterable[tuple[str, str]]:
        """The headers that let the browser hand the answer to the page, if its origin is allowed."""
        origin = request.environ.get("HTTP_ORIGIN")
        if origin is None:
            return ()
        vary = [] if self._any else [("Vary", "Origin")]
        if not self._any and origin not in self._origins:
            return vary
        allowed = [*vary, ("Access-Control-Allow-Origin", ANY if self._any else origin)]
        if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.environ:
            return [*allowed, *_PREFLIGHT_HEADERS]
        return [*allowed, _EXPOSED_HEADERS]
