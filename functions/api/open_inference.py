"""The Open Inference Protocol v2: /v2 and what is below it."""

from http import HTTPStatus
from typing import Any, ClassVar

import msgspec
from flask import Blueprint

from functions import __version__
from functions.errors import Problem
from functions.inference import TensorInterface
from functions.model import Model
from functions.request import JSON, current_request
from functions.response import ServingResponse
from functions.service import Service
from functions.tensors import InvalidInference, split_body

PREFIX = "/v2"
EXTENSIONS = ("binary_tensor_data",)
_SERVER_NAME = "mlops-core"
_JSON_LENGTH = "Inference-Header-Content-Length"
_JSON_LENGTH_VARIABLE = "HTTP_INFERENCE_HEADER_CONTENT_LENGTH"
_BINARY = "application/octet-stream"


class UnknownModel(Problem):
    """The request names another model, or another version of it."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    kind = "unknown-model"


def blueprint(service: Service) -> Blueprint:
    """The protocol's routes; /metadata routes are open, inference is guarded as predictions are."""
    routes = Blueprint("open_inference", __name__, url_prefix=PREFIX)
    limit = service.limits.predict

    @routes.get("")
    def server() -> ServingResponse:
        return _json({"name": _SERVER_NAME, "version": __version__, "extensions": EXTENSIONS})

    @routes.get("/health/live")
    def live() -> ServingResponse:
        return _json({"live": True})

    @routes.get("/health/ready")
    def ready() -> ServingResponse:
        return _readiness("ready", service.ready)

    @routes.get("/models/<name>/ready", defaults={"version": None})
    @routes.get("/models/<name>/versions/<version>/ready")
    def model_ready(name: str, version: str | None) -> ServingResponse:
        model = service.model
        return _readiness("ready", model is not None and _interface(model, name, version) is not None)

    @routes.get("/models/<name>", defaults={"version": None})
    @routes.get("/models/<name>/versions/<version>")
    def metadata(name: str, version: str | None) -> ServingResponse:
        return _json(_interface(service.require_model(), name, version).metadata())

    @routes.post("/models/<name>/infer", defaults={"version": None})
    @routes.post("/models/<name>/versions/<version>/infer")
    def infer(name: str, version: str | None) -> ServingResponse:
        request = current_request()
        service.guard.admit(request, limit)
        model = service.require_model()
        interface = _interface(model, name, version)
        asked, chunks = split_body(request.body(), request.environ.get(_JSON_LENGTH_VARIABLE))
        try:
            rows = interface.rows(asked, chunks)
        except InvalidInference as invalid:
            service.metrics.count_refused(model, invalid.refused)
            raise
        probabilities = model.probabilities(rows)
        classes = probabilities.argmax(axis=1)
        body, json_length = interface.answer(asked, classes, probabilities)
        request.model_version = model.version
        service.metrics.count_predictions(model, rows, classes, probabilities.max(axis=1))
        if json_length is None:
            return ServingResponse(body, content_type=JSON)
        return ServingResponse(body, headers=[(_JSON_LENGTH, str(json_length))], content_type=_BINARY)

    return routes


def _interface(model: Model, name: str, version: str | None) -> TensorInterface:
    if name != model.metadata.name or version not in (None, model.version):
        asked = name if version is None else f"{name}, version {version}"
        raise UnknownModel(f"there is no model {asked}; this is {model.metadata.name}, version {model.version}")
    return model.tensors


def _readiness(key: str, ready: bool) -> ServingResponse:
    return _json({key: ready}, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)


def _json(content: dict[str, Any], status: int = HTTPStatus.OK) -> ServingResponse:
    return ServingResponse(msgspec.json.encode(content), status, content_type=JSON)
