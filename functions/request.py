"""A request as the service sees it: identified, timed, with what the log and the metrics need."""

import os
import re
import time
from typing import cast

from flask import Request
from flask.globals import request_ctx
from werkzeug.exceptions import RequestEntityTooLarge

from functions.errors import UnsupportedMediaType
from functions.limits import Standing, client_of

JSON = "application/json"
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}").fullmatch


class ServingRequest(Request):
    """Flask's request with a start time, an id and what its handling found out."""

    started: float
    request_id: str
    standing: Standing | None = None
    model_version: str | None = None
    error_kind: str | None = None

    def open(self) -> None:
        """Note the start; take the client's request id if it is sane, else make one."""
        self.started = time.perf_counter()
        given = self.environ.get("HTTP_X_REQUEST_ID")
        self.request_id = given if given and _SANE_ID(given) else os.urandom(16).hex()

    @property
    def client(self) -> str:
        """Whom the per-client limits count; ProxyFix has put the trusted address in place."""
        return client_of(self.environ.get("REMOTE_ADDR"))

    def json_body(self) -> bytes:
        """The body, which says that it is JSON.

        Raises:
            UnsupportedMediaType: it says something else.
            werkzeug.exceptions.RequestEntityTooLarge: it is larger than the settings allow.
        """
        if self.environ.get("CONTENT_TYPE") != JSON and self.mimetype != JSON:
            raise UnsupportedMediaType(f"send the body with Content-Type: {JSON}")
        return self.body()

    def body(self) -> bytes:
        """The body as it came.

        Raises:
            werkzeug.exceptions.RequestEntityTooLarge: it is larger than the settings allow.
        """
        body = self.get_data(cache=False)
        if "CONTENT_LENGTH" not in self.environ or "HTTP_TRANSFER_ENCODING" in self.environ:
            self._refuse_cut(body)
        return body

    def _refuse_cut(self, body: bytes) -> None:
        """Refuse a body that came without its length and was cut at the limit: Werkzeug cuts it in silence."""
        if len(body) == self.max_content_length and self.environ["wsgi.input"].read(1):
            raise RequestEntityTooLarge


def current_request() -> ServingRequest:
    """The request being handled, without Flask's proxy in between."""
    return cast("ServingRequest", request_ctx.request)
