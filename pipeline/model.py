"""The scikit-learn pipeline: preprocessing and the configured classifier."""

import importlib
import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from functions.bundle.metadata import Label
from pipeline.errors import InvalidModel
from pipeline.params import Params, TrainParams
from pipeline.table import Floats, Table

CLASSIFIER = "classifier"
"""Name of the pipeline's last step."""


def build_pipeline(params: Params) -> Pipeline:
    """The unfitted pipeline: imputer and scaler if they are asked for, then the classifier.

    Raises:
        InvalidModel: `train` names no classifier with probabilities, or an argument that it has not.
    """
    steps: list[tuple[str, Any]] = []
    if params.data.impute is not None:
        steps.append(("imputer", SimpleImputer(strategy=params.data.impute)))
    if params.data.scale:
        steps.append(("scaler", StandardScaler()))
    return Pipeline([*steps, (CLASSIFIER, build_classifier(params.train, params.data.random_state))])


def build_classifier(train: TrainParams, random_state: int) -> Any:
    """The unfitted classifier with its arguments.

    A class that takes `random_state` gets the seed of the data, unless `train` gives it one.

    Raises:
        InvalidModel: `train` names no classifier with probabilities, or an argument that it has not.
    """
    kind = _import_class(train.estimator)
    accepted = [name for name in inspect.signature(kind).parameters if name not in ("args", "kwargs")]
    for name in train.arguments:
        if name not in accepted:
            raise InvalidModel(
                f"params.yaml: train.{name} is no argument of {train.estimator}; "
                f"remove it or correct its name. Accepted: {', '.join(accepted)}"
            )
    given = {"random_state": random_state} if "random_state" in accepted else {}
    try:
        classifier = kind(**given | train.arguments)
    except (TypeError, ValueError) as error:
        raise InvalidModel(f"{train.estimator} can't be built: {error}; correct the keys of train") from error
    if not is_classifier(classifier):
        raise InvalidModel(
            f"train.estimator: {train.estimator} is no classifier; name one, as this service predicts classes"
        )
    if not hasattr(classifier, "predict_proba"):
        raise InvalidModel(
            f"train.estimator: {train.estimator} has no predict_proba as it is configured, and the service answers "
            "with probabilities; name another classifier, or wrap it in its calibrated form"
        )
    return classifier


def fit(pipeline: Pipeline, table: Table) -> Pipeline:
    """Fit `pipeline` in place on the rows as the service will see them.

    Raises:
        InvalidModel: scikit-learn refuses the arguments or the data.
    """
    try:
        pipeline.fit(to_frame(to_float32(table.values), table.features), np.array(table.labels))
    except (TypeError, ValueError) as error:
        estimator = type(pipeline.named_steps[CLASSIFIER]).__name__
        raise InvalidModel(f"{estimator} can't be fitted: {error}; correct the keys of train, or the data") from error
    return pipeline


def to_float32(values: Floats) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The values as the exported model takes them."""
    return values.astype(np.float32)


def to_frame(rows: np.ndarray[Any, np.dtype[np.float32]], features: Sequence[str]) -> pd.DataFrame:
    """Rows for scikit-learn: float32 values held as float64, so that both models compute on the same numbers."""
    return pd.DataFrame(rows.astype(np.float64), columns=list(features))


def classes_of(pipeline: Pipeline) -> list[Label]:
    """The classes in the order of the probabilities, as Python values."""
    found: list[Label] = pipeline.classes_.tolist()
    return found


def _import_class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidModel(
            f"train.estimator: {path} can't be imported ({error}); "
            "write a full import path such as sklearn.ensemble.RandomForestClassifier"
        ) from error
    if not inspect.isclass(kind):
        raise InvalidModel(f"train.estimator: {path} is no class; name a classifier such as sklearn.svm.SVC")
    return kind
