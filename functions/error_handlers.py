"""Every error becomes problem details, or under /v2 the Open Inference Protocol's error."""

import logging

import msgspec
from flask import Flask
from werkzeug.exceptions import HTTPException

from functions.api import open_inference
from functions.errors import PROBLEM_JSON, Fault, Problem, problem_body
from functions.metrics import ServiceMetrics
from functions.request import JSON, current_request
from functions.response import ServingResponse

PROTOCOL_PREFIX = f"{open_inference.PREFIX}/"

logger = logging.getLogger(__name__)


def register(app: Flask, metrics: ServiceMetrics) -> None:
    """Answer our own problems, HTTP's errors and what nobody expected, in that order."""

    @app.errorhandler(Problem)
    def _problem(problem: Problem) -> ServingResponse:
        return _answer(problem.status, problem.kind, problem.detail, list(problem.headers.items()), problem.faults)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> ServingResponse:
        headers = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
        kind = error.name.lower().replace(" ", "-")
        return _answer(error.code or 500, kind, error.description or error.name, headers)

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> ServingResponse:
        request = current_request()
        metrics.count_exception(request)
        logger.error("request failed", exc_info=error, extra={"request_id": request.request_id})
        return _answer(500, Problem.kind, "the service failed; its log has more under this request's id", [])


def _answer(
    status: int, kind: str, detail: str, headers: list[tuple[str, str]], faults: list[Fault] | None = None
) -> ServingResponse:
    request = current_request()
    request.error_kind = kind
    if f"{request.environ['PATH_INFO']}/".startswith(PROTOCOL_PREFIX):
        return ServingResponse(msgspec.json.encode({"error": detail}), status, headers, content_type=JSON)
    body = problem_body(status, kind, detail, request.request_id, faults)
    return ServingResponse(body, status, headers, content_type=PROBLEM_JSON)
