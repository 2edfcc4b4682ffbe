"""The reference of the pipeline: one script that loads, fits, and logs the model to a new MLflow store.

What a person writes who has no pipeline, with the parameters of params.yaml: no split, no checks,
no export. `python -m benchmarks.one_script` makes mlflow.db and mlruns in the working folder.
"""

import importlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

_SECTION = "train"


def read_params(path: Path) -> dict[str, Any]:
    """The parameters of the project."""
    params: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return params


def load(params: dict[str, Any], root: Path) -> tuple[pd.DataFrame, "pd.Series[Any]"]:
    """Features and target of the training data."""
    table = pd.read_csv(root / params["data"]["source"])
    target = params["data"]["target"]
    return table.drop(columns=target), table[target]


def fit(params: dict[str, Any], features: Any, target: Any) -> Any:
    """The fitted model of params.yaml, without preprocessing."""
    arguments = dict(params[_SECTION])
    module, _, name = arguments.pop("estimator").rpartition(".")
    estimator = getattr(importlib.import_module(module), name)
    return estimator(**{"random_state": params["data"]["random_state"], "n_jobs": 1} | arguments).fit(features, target)


def main() -> None:
    """Load, fit, log."""
    import mlflow
    import mlflow.sklearn

    params = read_params(Path("params.yaml"))
    features, target = load(params, Path.cwd())
    model = fit(params, features, target)
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.set_experiment(params["tracking"]["experiment"])
    with mlflow.start_run():
        mlflow.log_params(params[_SECTION])
        mlflow.log_metric("accuracy", float(model.score(features, target)))
        mlflow.sklearn.log_model(
            model,
            name="model",
            serialization_format="cloudpickle",
            signature=mlflow.models.infer_signature(features, model.predict(features)),
            pip_requirements=[f"{name}=={version(name)}" for name in ("cloudpickle", "pandas", "scikit-learn")],
        )


if __name__ == "__main__":
    main()
