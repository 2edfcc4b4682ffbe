"""The OpenAPI document, made from the model's own features, classes and examples."""

from typing import Any

from functions import __version__
from functions.bundle.metadata import FLOAT32_MAX, Feature, Label
from functions.errors import PROBLEM_JSON
from functions.guard import KEY_HEADER
from functions.model import Model

OPENAPI_VERSION = "3.1.0"
TITLE = "mlops-core prediction service"
_DESCRIPTION = "Beside these routes, `/v2` speaks the Open Inference Protocol, for its own clients."
_PREDICTIONS, _SERVICE = "Predictions", "Service"
_JSON = "application/json"
_KEY = "ApiKey"
_PROBLEM = {"$ref": "#/components/schemas/Problem"}


def document(model: Model | None, *, authenticated: bool) -> dict[str, Any]:
    """The document for `model`; without one, the routes that do not depend on a model."""
    schemas: dict[str, Any] = {"Problem": _problem()}
    paths: dict[str, Any] = {}
    if model is not None:
        schemas |= _model_schemas(model)
        paths = _model_paths(model)
        if authenticated:
            for operation in (paths["/predict"]["post"], paths["/model/info"]["get"]):
                operation["security"] = [{_KEY: []}]
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": TITLE, "version": __version__, "description": _DESCRIPTION},
        "paths": paths | _service_paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {_KEY: {"type": "apiKey", "in": "header", "name": KEY_HEADER}},
        },
    }


def _model_paths(model: Model) -> dict[str, Any]:
    info = {"200": _answer("The model"), **_problems(401, 403, 429, 503)}
    return {
        "/predict": {"post": _predict(model)},
        "/model/info": {"get": _operation(_PREDICTIONS, "The model and its scores", "model_info", info)},
    }


def _service_paths() -> dict[str, Any]:
    health = {"200": _answer("Healthy"), **_problems(429), "503": _answer("No model")}
    ready = {"200": _answer("Ready"), "503": _answer("No model yet")}
    metrics = {"200": {"description": "Metrics"}, **_problems(404)}
    operations = {
        "/": ("What this service is", "service", {"200": _answer("Name, version, model, links")}),
        "/health": ("Health", "health", health),
        "/health/live": ("The process runs", "live", {"200": _answer("Alive")}),
        "/health/ready": ("A model is ready", "ready", ready),
        "/metrics": ("Prometheus metrics", "metrics", metrics),
    }
    return {path: {"get": _operation(_SERVICE, *operation)} for path, operation in operations.items()}


def _model_schemas(model: Model) -> dict[str, Any]:
    features = model.metadata.features
    example = model.metadata.golden_examples[0].instance
    labels = model.metadata.target_names
    return {
        "Instance": {
            "type": "object",
            "properties": {feature.name: _number(feature, example[feature.name]) for feature in features},
            "required": [feature.name for feature in features],
            "additionalProperties": False,
        },
        "Instances": {
            "type": "object",
            "properties": {
                "instances": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "oneOf": [
                            {"$ref": "#/components/schemas/Instance"},
                            {
                                "type": "array",
                                "description": "The features in the order of the model",
                                "prefixItems": [_number(feature, example[feature.name]) for feature in features],
                                "minItems": len(features),
                                "maxItems": len(features),
                            },
                        ]
                    },
                },
                "parameters": {"description": "Taken for Vertex AI's sake, and not used"},
            },
            "required": ["instances"],
            "additionalProperties": False,
        },
        "Prediction": {
            "type": "object",
            "properties": {
                "prediction": {"type": _label_type(labels[0]), "enum": labels},
                "confidence": {"type": "number", "minimum": 0, "maximum": 1},
                "probabilities": {
                    "type": "object",
                    "properties": {key: {"type": "number", "minimum": 0, "maximum": 1} for key in model.target_keys},
                    "required": model.target_keys,
                },
            },
            "required": ["prediction", "confidence", "probabilities"],
        },
        "Predictions": {
            "type": "object",
            "properties": {"predictions": {"type": "array", "items": {"$ref": "#/components/schemas/Prediction"}}},
            "required": ["predictions"],
        },
    }


def _predict(model: Model) -> dict[str, Any]:
    golden = model.metadata.golden_examples
    one, many = golden[0].instance, [example.instance for example in golden[:2]]
    operation = _operation(
        _PREDICTIONS,
        "Predict one row or many",
        "predict",
        {
            "200": {
                "description": "One prediction, or `predictions` in the order of `instances`",
                "headers": {"X-Model-Version": {"schema": {"type": "string"}}},
                "content": {_JSON: {"schema": _one_of("Prediction", "Predictions")}},
            },
            **_problems(400, 401, 403, 413, 415, 422, 429, 503),
        },
    )
    operation["requestBody"] = {
        "required": True,
        "content": {
            _JSON: {
                "schema": _one_of("Instance", "Instances"),
                "examples": {"row": {"value": one}, "rows": {"value": {"instances": many}}},
            }
        },
    }
    return operation


def _operation(tag: str, summary: str, operation_id: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"tags": [tag], "summary": summary, "operationId": operation_id, "responses": responses}


def _answer(description: str) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": {"type": "object"}}}}


def _problems(*statuses: int) -> dict[str, Any]:
    descriptions = {
        400: "The body is no JSON",
        401: "No key",
        403: "The key is not accepted",
        404: "Not from here",
        413: "Too many bytes or rows",
        415: "The body does not say that it is JSON",
        422: "The rows do not fit the features",
        429: "Too many requests; Retry-After says when to come back",
        503: "There is no model",
    }
    return {
        str(status): {"description": descriptions[status], "content": {PROBLEM_JSON: {"schema": _PROBLEM}}}
        for status in statuses
    }


def _one_of(*names: str) -> dict[str, Any]:
    return {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]}


def _number(feature: Feature, example: float | None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["number", "null"] if feature.nullable else "number"}
    low, high = feature.bounds
    if low > -FLOAT32_MAX:
        schema["minimum"] = low
    if high < FLOAT32_MAX:
        schema["maximum"] = high
    return schema | {"examples": [example]}


def _label_type(label: Label) -> str:
    return {bool: "boolean", int: "integer", str: "string"}[type(label)]


def _problem() -> dict[str, Any]:
    text = {"type": "string"}
    fault = {"type": "object", "properties": {"field": text, "message": text}, "required": ["field", "message"]}
    return {
        "type": "object",
        "description": "Problem details, RFC 9457; `instance` is the request's id",
        "properties": {
            "type": text,
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "instance": text,
            "errors": {"type": "array", "items": fault},
        },
        "required": ["type", "title", "status", "detail", "instance"],
    }
