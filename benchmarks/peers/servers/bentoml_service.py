# Runs in an environment of its own, whose packages are not here.
# mypy: ignore-errors
"""BentoML over a forest saved with joblib."""

import os

import bentoml
import joblib
import numpy as np

BATCH = int(os.environ["BATCH"])


@bentoml.service(workers=1, traffic={"timeout": 60})
class Forest:
    """Rows in, classes out."""

    def __init__(self) -> None:
        """Load the model in the worker process."""
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api(batchable=BATCH > 1, max_batch_size=max(BATCH, 2))
    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Classes of the rows."""
        return self.model.predict(rows)
