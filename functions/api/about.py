"""GET / and GET /model/info: what this service is, and the model that it serves."""

from typing import Any

import msgspec
from flask import Blueprint

from functions import __version__
from functions.api import documentation, health, monitoring, open_inference, predictions
from functions.model import Model
from functions.request import JSON, current_request
from functions.response import ServingResponse
from functions.service import Service

ROOT, MODEL_INFO = "/", "/model/info"
NAME = "mlops-core"
_SCORES = ("accuracy", "precision", "recall", "f1_score", "confidence_intervals")


def blueprint(service: Service) -> Blueprint:
    """The routes that describe."""
    routes = Blueprint("about", __name__)

    @routes.get(ROOT)
    def root() -> ServingResponse:
        return _json(index(service.model))

    @routes.get(MODEL_INFO)
    def model_info() -> ServingResponse:
        request = current_request()
        service.guard.admit(request, service.limits.model_info)
        model = service.require_model()
        request.model_version = model.version
        return _json(describe(model))

    return routes


def index(model: Model | None) -> dict[str, Any]:
    """The service's name and version, the model's, and where everything is."""
    return {
        "name": NAME,
        "version": __version__,
        "model": {"name": model.metadata.name, "version": model.version} if model else None,
        "links": {
            "predict": predictions.ROUTE,
            "open_inference": open_inference.PREFIX,
            "health": health.HEALTH,
            "model": MODEL_INFO,
            "metrics": monitoring.ROUTE,
            "docs": documentation.SWAGGER,
            "redoc": documentation.REDOC,
            "openapi": documentation.OPENAPI,
        },
    }


def describe(model: Model) -> dict[str, Any]:
    """The model as its users ask for it: what it takes, what it says, how good it is, where it came from."""
    metadata, metrics = model.metadata, model.metrics
    return {
        "name": metadata.name,
        "version": metadata.version,
        "model_type": metadata.model_type,
        "n_features": metadata.n_features,
        "n_samples": metadata.n_samples,
        "feature_names": metadata.feature_names,
        "features": [
            {"name": feature.name, "bounds": feature.bounds, "nullable": feature.nullable}
            for feature in metadata.features
        ],
        "target_names": metadata.target_names,
        **{name: getattr(metrics, name, None) for name in _SCORES},
        "params": metadata.params,
        "mlflow_run_id": metadata.mlflow_run_id,
        "mlflow_experiment_name": metadata.mlflow_experiment_name,
        "created_at": metadata.created_at,
        "git_commit": metadata.git_commit,
        "data_digest": metadata.data_digest,
        "model_sha256": metadata.model_sha256,
        "libraries": metadata.libraries,
        "source": model.source,
        "stands_in_for": model.stands_in_for,
    }


def _json(content: dict[str, Any]) -> ServingResponse:
    return ServingResponse(msgspec.json.encode(content), content_type=JSON)
