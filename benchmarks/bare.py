"""The reference: a Flask handler that reads the body and returns a constant, on the server of the service.

`python -m benchmarks.bare` listens on PORT of the loopback address.
"""

import logging
import os
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request

ANSWER = b'{"prediction":"setosa","confidence":1.0,"probabilities":{"setosa":1.0,"versicolor":0.0,"virginica":0.0}}'


def create_app() -> Flask:
    """The app, with nothing but its one route."""
    app = Flask("bare", static_folder=None)

    @app.post("/predict")
    def predict() -> Response:
        request.get_data()
        return Response(ANSWER, content_type="application/json")

    return app


def main() -> None:
    """Serve until SIGTERM."""
    from functions.server import server
    from functions.settings import Settings

    logging.basicConfig(level=logging.WARNING)
    server(Settings.from_environ({"PORT": os.environ["PORT"]})).serve(target_loader=_load_app, wrap_loader=False)


def _load_app() -> Callable[..., Any]:
    return create_app()


if __name__ == "__main__":
    main()
