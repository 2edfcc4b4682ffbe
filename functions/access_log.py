"""The access log: one JSON line for each answered request."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec
from flask import Response

from functions.logs import timestamp
from functions.request import ServingRequest

_TRACE_HEADERS = ("HTTP_TRACEPARENT", "HTTP_X_CLOUD_TRACE_CONTEXT")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})").match
_CLOUD_TRACE = re.compile(r"([0-9a-fA-F]{32})(?:/([0-9]{1,20})(?![0-9]))?(?:;o=([01]))?").match


class HttpRequest(msgspec.Struct, rename="camel"):
    """Cloud Logging's httpRequest."""

    request_method: str
    request_url: str
    status: int
    response_size: str
    user_agent: str
    remote_ip: str
    latency: str


class AccessLog:
    """One line for each answered request.

    Written without the logging module, whose record and locks cost more than the line itself.
    """

    def __init__(self, stream: BinaryIO, level: str = "INFO", project: str = "") -> None:
        """Write lines of at least `level` to `stream`; `project` is the Google Cloud project of the traces."""
        self._write: Callable[[bytes], Any] = stream.write
        self._flush = stream.flush
        self._encode = msgspec.json.Encoder().encode
        least = logging.getLevelNamesMapping()[level]
        self._from_status = 0 if least <= logging.INFO else 400 if least <= logging.WARNING else 500
        self._trace_prefix = f"projects/{project}/traces/" if project else ""

    def log(self, request: ServingRequest, response: Response, elapsed: float) -> None:
        """Write the line of `request`, which took `elapsed` seconds."""
        status = response.status_code
        if status < self._from_status:
            return
        environ = request.environ
        line: dict[str, Any] = {
            "severity": "INFO" if status < 400 else "WARNING" if status < 500 else "ERROR",
            "time": timestamp(time.time()),
            "message": "request",
            "request_id": request.request_id,
            "httpRequest": HttpRequest(
                request_method=environ["REQUEST_METHOD"],
                request_url=environ["PATH_INFO"],
                status=status,
                response_size=response.headers.get("Content-Length", ""),
                user_agent=environ.get("HTTP_USER_AGENT", ""),
                remote_ip=environ.get("REMOTE_ADDR", ""),
                latency=f"{elapsed:.6f}s",
            ),
        }
        if request.model_version:
            line["model_version"] = request.model_version
        if request.error_kind:
            line["error_type"] = request.error_kind
        for name in _TRACE_HEADERS:
            if name in environ and (fields := trace_fields(environ[name], self._trace_prefix)):
                line |= fields
                break
        self._write(self._encode(line) + b"\n")
        self._flush()


def trace_fields(header: str, prefix: str) -> dict[str, Any]:
    """Cloud Logging's trace fields of a `traceparent` or `X-Cloud-Trace-Context` header; none if it is malformed."""
    if match := _TRACEPARENT(header):
        trace, span, flags = match.groups()
        sampled = bool(int(flags, 16) & 1)
    elif match := _CLOUD_TRACE(header):
        trace, number, flag = match.groups()
        span = f"{int(number):016x}" if number else ""
        sampled = flag == "1"
    else:
        return {}
    fields = {"logging.googleapis.com/trace": prefix + trace, "logging.googleapis.com/trace_sampled": sampled}
    if span:
        fields["logging.googleapis.com/spanId"] = span
    return fields
