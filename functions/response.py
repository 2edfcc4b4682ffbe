"""A response whose standard headers cost nothing to add."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Pairs = list[tuple[str, str]]


class ServingResponse(Response):
    """Flask's response, with the headers that every answer carries kept apart until it is sent.

    Werkzeug's Headers looks through all headers for each one that is set; a dozen of them cost more
    than a prediction. The standard ones go out as they are, after the response's own; one that the
    response has set itself is left out.
    """

    standard: Iterable[tuple[str, str]] = ()

    def get_wsgi_response(self, environ: "WSGIEnvironment") -> tuple[Iterable[bytes], str, Pairs]:
        """Body, status and all headers, as WSGI takes them."""
        body, status, headers = super().get_wsgi_response(environ)
        own = {name for name, _ in headers}
        headers += [pair for pair in self.standard if pair[0] not in own]
        return body, status, headers
