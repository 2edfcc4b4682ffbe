"""POST /predict."""

from flask import Blueprint

from functions.errors import InvalidInstances
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
        try:
            rows, batch = model.decode(request.json_body())
        except InvalidInstances as invalid:
            service.metrics.count_refused(model, invalid.refused)
            raise
        request.model_version = model.version
        if batch:
            body, classes, confidences = model.answer_many(rows)
            service.metrics.count_predictions(model, rows, classes, confidences)
        else:
            body, index, confidence = model.answer_one(rows)
            service.metrics.count_prediction(model, rows, index, confidence)
        return ServingResponse(body, content_type=JSON)

    for path in {ROUTE, service.settings.predict_route}:
        routes.post(path)(predict)
    return routes
