# Runs in an environment of its own, whose packages are not here.
# mypy: ignore-errors
"""FastAPI over mlflow.sklearn, as its users write it: a data frame in, class and probabilities out."""

import os

import mlflow.sklearn
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

model = mlflow.sklearn.load_model(os.environ["MODEL"])
app = FastAPI()


class Rows(BaseModel):
    """Rows by column, as pandas splits a frame."""

    columns: list[str]
    data: list[list[float]]


@app.post("/predict")
async def predict(rows: Rows) -> dict[str, list[dict[str, object]]]:
    """Class and probabilities of each row; the class follows from them, so the forest runs once."""
    probabilities = model.predict_proba(pd.DataFrame(rows.data, columns=rows.columns))
    labels = model.classes_[probabilities.argmax(axis=1)].tolist()
    return {
        "predictions": [
            {"prediction": label, "probabilities": row}
            for label, row in zip(labels, probabilities.tolist(), strict=True)
        ]
    }
