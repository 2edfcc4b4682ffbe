"""The bundle's metadata: what is known of a model once it is trained and exported."""

from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.bundle.files import digest
from functions.bundle.metadata import FLOAT32_MAX, FORMAT, Distribution, Feature, GoldenExample, Label, Metadata
from pipeline.params import DataParams, Params
from pipeline.table import Floats, Table
from pipeline.tracking import LoggedModel

BINS = 10
"""Bins of a reference distribution, at most: the deciles of the training values."""

GOLDEN_PER_CLASS = 2

LIBRARIES = ("numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx")


def describe_features(train: Table, data: DataParams) -> list[Feature]:
    """Each feature with its bounds and the distribution of its training values."""
    return [
        Feature(
            name=name,
            bounds=bounds_of(column, data.bounds.get(name), data.bounds_margin),
            nullable=data.impute is not None,
            reference=distribution(column),
        )
        for name, column in zip(train.features, train.values.T, strict=True)
    ]


def bounds_of(column: Floats, declared: tuple[float, float] | None, margin: float | None) -> tuple[float, float]:
    """Declared bounds, or the training range widened on each side by `margin` times its width.

    A constant feature counts as wide as its value, at least 1. Without a margin any float32 is allowed.
    """
    if declared is not None:
        return declared
    if margin is None:
        return -FLOAT32_MAX, FLOAT32_MAX
    low, high = float(np.nanmin(column)), float(np.nanmax(column))
    width = high - low or max(abs(low), 1.0)
    return max(low - margin * width, -FLOAT32_MAX), min(high + margin * width, FLOAT32_MAX)


def distribution(column: Floats) -> Distribution:
    """Counts of the values between their own deciles; equal deciles make one edge."""
    present = column[~np.isnan(column)]
    shares = np.arange(1, BINS) / BINS
    # An observed value as the edge, not one between two: discrete features keep their steps.
    edges = np.unique(np.quantile(present, shares, method="inverted_cdf"))
    counts = np.bincount(np.searchsorted(edges, present, side="left"), minlength=len(edges) + 1)
    return Distribution(edges=edges.tolist(), counts=counts.tolist(), missing=int(np.isnan(column).sum()))


def golden_examples(train: Table, classes: Sequence[Label], probabilities: NDArray[np.float32]) -> list[GoldenExample]:
    """The first training rows of each class, with the exported model's answers [rows, classes] to all rows."""
    chosen = [
        row
        for label in classes
        for row in [index for index, found in enumerate(train.labels) if found == label][:GOLDEN_PER_CLASS]
    ]
    return [
        GoldenExample(
            instance={
                name: None if np.isnan(value) else float(value)
                for name, value in zip(train.features, train.values[row], strict=True)
            },
            prediction=classes[int(probabilities[row].argmax())],
            probabilities=[float(value) for value in probabilities[row]],
        )
        for row in chosen
    ]


def build_metadata(
    *,
    params: Params,
    train: Table,
    classes: Sequence[Label],
    model: bytes,
    model_type: str,
    probabilities: NDArray[np.float32],
    logged: LoggedModel,
    created_at: datetime,
    git_commit: str | None,
    data_digest: str,
) -> Metadata:
    """Metadata of the exported `model`; `probabilities` are its answers to the training rows."""
    model_digest = digest(model)
    predicted = np.bincount(probabilities.argmax(axis=1), minlength=len(classes))
    return Metadata(
        format=FORMAT,
        name=params.tracking.registered_model,
        version=f"{created_at:%Y%m%d%H%M%S}-{model_digest[:8]}",
        task="classification",
        features=describe_features(train, params.data),
        target=train.target,
        target_names=list(classes),
        target_reference=predicted.tolist(),
        model_type=model_type,
        params=recorded_params(params),
        n_features=len(train.features),
        n_samples=len(train.labels),
        mlflow_run_id=logged.run_id,
        mlflow_experiment_name=params.tracking.experiment,
        model_artifact_path=logged.path,
        created_at=created_at.isoformat(timespec="seconds"),
        git_commit=git_commit,
        data_digest=data_digest,
        libraries={name: version(name) for name in LIBRARIES},
        golden_examples=golden_examples(train, classes, probabilities),
        model_sha256=model_digest,
    )


def recorded_params(params: Params) -> dict[str, Any]:
    """The parameters that made the model, by section, as JSON takes them."""
    data = params.data
    return {
        "data": {
            "source": data.source,
            "target": data.target,
            "test_size": data.test_size,
            "random_state": data.random_state,
            "impute": data.impute,
            "scale": data.scale,
        },
        "train": {"estimator": params.train.estimator, **params.train.arguments},
    }
