"""The forest that all peers serve, trained once and saved in the form that each takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT
from benchmarks.one_script import fit, load, read_params

_PINS = ["cloudpickle", "pandas", "scikit-learn"]


@dataclass(frozen=True)
class Saved:
    """One forest in two forms, with one of its training rows."""

    joblib: Path
    """Fitted on an array: for servers that pass arrays on."""
    mlflow: Path
    """Fitted on a data frame, as MLflow's users do."""
    names: list[str]
    row: list[float]


def save_forest(folder: Path) -> Saved:
    """Train with the parameters of params.yaml and save."""
    import joblib  # type: ignore[import-untyped]
    import mlflow.models
    import mlflow.sklearn

    params = read_params(ROOT / "params.yaml")
    features, target = load(params, ROOT)
    saved = Saved(
        joblib=folder / "model.joblib",
        mlflow=folder / "mlflow",
        names=[str(name) for name in features.columns],
        row=[float(value) for value in features.iloc[0]],
    )
    joblib.dump(fit(params, features.to_numpy(), target.to_numpy()), saved.joblib)
    model: Any = fit(params, features, target)
    mlflow.sklearn.save_model(
        model,
        str(saved.mlflow),
        serialization_format="cloudpickle",
        signature=mlflow.models.infer_signature(features, model.predict(features)),
        pip_requirements=_PINS,
    )
    return saved
