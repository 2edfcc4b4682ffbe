# Runs in an environment of its own, whose packages are not here.
# mypy: ignore-errors
"""LitServe over a forest saved with joblib."""

import os
from typing import Any

import joblib
import litserve
import numpy as np


class Forest(litserve.LitAPI):
    """One row in, its class out."""

    def setup(self, device: str) -> None:  # noqa: ARG002 -- LitServe passes it
        """Load the model in the worker process."""
        self.model = joblib.load(os.environ["MODEL"])

    def decode_request(self, request: dict[str, Any]) -> Any:
        """The row of a request, [1, features]; [features] when rows are batched."""
        return np.asarray(request["row"], dtype=np.float64)

    def batch(self, inputs: list[Any]) -> Any:
        """Rows of several requests as one array."""
        return np.stack(inputs)

    def predict(self, rows: Any) -> Any:
        """Classes of the rows."""
        return self.model.predict(np.atleast_2d(rows)).tolist()

    def unbatch(self, output: Any) -> Any:
        """Each request's class."""
        return output

    def encode_response(self, output: Any) -> dict[str, Any]:
        """The answer of one request."""
        return {"prediction": output}


if __name__ == "__main__":
    size = int(os.environ["BATCH"])
    api = Forest(max_batch_size=size, batch_timeout=float(os.environ["BATCH_SECONDS"])) if size > 1 else Forest()
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False, log_level="warning")
