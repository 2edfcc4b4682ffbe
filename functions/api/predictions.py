"""POST /predict."""

from flask import Blueprint

from functions.request import JSON, current_request
from functions.response import ServingResponse
from functions.service import Service

ROUTE = "/predict"


def blueprint(service: Service) -> Blueprint:
    """The route of predictions, and its further path under Vertex AI."""
    routes = Blueprint("predictions", __name__)
    limit = service.limits.predict

    def predict() -> ServingResponse:
        request = current_request()
        service.guard.admit(request, limit)
        model = service.require_model()
        answer = model.predict(model.decode(request.json_body()))
        request.model_version = model.version
        service.metrics.count_predictions(answer)
        return ServingResponse(answer.body, content_type=JSON)

    for path in {ROUTE, service.settings.predict_route}:
        routes.post(path)(predict)
    return routes
