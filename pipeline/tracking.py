"""The only user of MLflow: runs, logged models, and the registry's alias.

The scikit-learn model is logged for study and stored with cloudpickle: MLflow's default, skops,
refuses trees unless their types are declared as trusted, reads that declaration from the model's
own folder (so it makes nothing safer), and takes a second longer. What serves is the ONNX model;
that is the one that is registered.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import TrackingError
from pipeline.params import TrackingParams

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.pipeline import Pipeline

LOCAL_STORE = "sqlite:///mlflow.db"
CHAMPION_ALIAS = "champion"
_STORES = ("http://", "https://", "sqlite:", "postgresql", "mysql", "mssql")


@dataclass(frozen=True)
class Store:
    """Where runs are kept, and where their artifacts are, if not where the store puts them."""

    uri: str
    artifact_root: str | None = None


@dataclass(frozen=True)
class Origin:
    """What a run was made from."""

    started: datetime
    git_commit: str | None
    data_digest: str


@dataclass(frozen=True)
class Trained:
    """A fitted model in both forms, with some rows [rows, features] and its labels for them."""

    pipeline: "Pipeline"
    model: bytes
    features: list[str]
    rows: NDArray[np.float32]
    labels: NDArray[Any]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class LoggedModel:
    """The run, and the folder of its ONNX model below the artifact root."""

    run_id: str
    path: str


def parse_store(uri: str | None) -> Store:
    """What the value of MLFLOW_TRACKING_URI means.

    A server or database is taken as it is; gs:// is where artifacts go, with the runs in the local
    store; nothing is the local store with artifacts in ./mlruns.

    Raises:
        TrackingError: MLflow keeps no runs in such a place.
    """
    if not uri:
        return Store(LOCAL_STORE)
    if uri.startswith("gs://"):
        return Store(LOCAL_STORE, uri.rstrip("/"))
    if uri.startswith(_STORES):
        return Store(uri)
    raise TrackingError(
        f"MLFLOW_TRACKING_URI={uri}: MLflow keeps no runs there (it gave up stores made of files); unset it for "
        f"{LOCAL_STORE}, or name a server (https://...), a database (postgresql://...) or an artifact root (gs://...)"
    )


def log_training(
    store: Store,
    names: TrackingParams,
    origin: Origin,
    trained: Trained,
    *,
    params: Mapping[str, object],
    metrics: Mapping[str, float],
    figures: Mapping[str, "Figure"],
) -> LoggedModel:
    """Make a run with everything about a training, and register its ONNX model.

    Raises:
        TrackingError: the store is out of reach, or keeps the experiment's artifacts elsewhere.
    """
    with _reported(store):
        mlflow = _import_mlflow(store)
        experiment = _experiment(mlflow, store, names.experiment)
        tags = {"data_digest": origin.data_digest, "git_commit": origin.git_commit or "none"}
        with mlflow.start_run(experiment_id=experiment.experiment_id, tags=tags) as run:
            mlflow.log_params(dict(params))
            mlflow.log_metrics(dict(metrics))
            for name, figure in figures.items():
                mlflow.log_figure(figure, f"plots/{name}")
            _log_sklearn(mlflow, trained)
            model_id = _log_onnx(mlflow, trained, names.registered_model)
        location = mlflow.MlflowClient().get_logged_model(model_id).artifact_location
    root = experiment.artifact_location.rstrip("/").rpartition("/")[0]
    return LoggedModel(run_id=run.info.run_id, path=location.removeprefix(f"{root}/"))


def set_champion(store: Store, registered_model: str, run_id: str) -> str:
    """Move the alias `champion` to the version that a run registered, and return that version.

    Raises:
        TrackingError: the store is out of reach, or has no version of that run.
    """
    with _reported(store):
        client = _import_mlflow(store).MlflowClient()
        versions = client.search_model_versions(f"name = '{registered_model}' and run_id = '{run_id}'")
        if not versions:
            raise TrackingError(f"{store.uri} has no version of {registered_model} from run {run_id}")
        client.set_registered_model_alias(registered_model, CHAMPION_ALIAS, versions[0].version)
        return str(versions[0].version)


def _import_mlflow(store: Store) -> Any:
    # Before the import: MLflow decides then whether it reports to its makers.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    # Without this an unreachable server is waited for five minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    import mlflow
    import mlflow.onnx
    import mlflow.sklearn

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    # Warns of cloudpickle with every model; the module's docstring says why it is used.
    logging.getLogger("mlflow.sklearn").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(store.uri)
    mlflow.set_registry_uri(store.uri)
    return mlflow


def _experiment(mlflow: Any, store: Store, name: str) -> Any:
    client = mlflow.MlflowClient()
    wanted = None if store.artifact_root is None else f"{store.artifact_root}/{name}"
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return client.get_experiment(client.create_experiment(name, artifact_location=wanted))
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"the experiment {name!r} was deleted; run `mlflow experiments restore "
            f"--experiment-id {experiment.experiment_id}`, or set another tracking.experiment"
        )
    if wanted is not None and experiment.artifact_location.rstrip("/") != wanted:
        raise TrackingError(
            f"the experiment {name!r} keeps its artifacts in {experiment.artifact_location}, and can't move them "
            f"to {store.artifact_root}; unset MLFLOW_TRACKING_URI and run `gcloud storage cp -r mlruns/ gs://...`, "
            "or set another tracking.experiment"
        )
    return experiment


def _log_sklearn(mlflow: Any, trained: Trained) -> None:
    from pipeline.model import to_frame

    frame = to_frame(trained.rows, trained.features)
    mlflow.sklearn.log_model(
        trained.pipeline,
        name="sklearn",
        serialization_format="cloudpickle",
        signature=mlflow.models.infer_signature(frame, trained.labels),
        input_example=frame,
        # Given, because MLflow would find them out by loading the model in another process: ten seconds.
        pip_requirements=_requirements("cloudpickle", "numpy", "pandas", "scikit-learn"),
    )


def _log_onnx(mlflow: Any, trained: Trained, registered_model: str) -> str:
    import onnx

    outputs = {"label": trained.labels, "probabilities": trained.probabilities}
    info = mlflow.onnx.log_model(
        onnx.load_model_from_string(trained.model),
        name="onnx",
        registered_model_name=registered_model,
        signature=mlflow.models.infer_signature(trained.rows, outputs),
        input_example=trained.rows,
        pip_requirements=_requirements("numpy", "onnx", "onnxruntime"),
        onnx_execution_providers=["CPUExecutionProvider"],
        # One file, with the very bytes of the bundle's model.onnx.
        save_as_external_data=False,
    )
    found: str = info.model_id
    return found


def _requirements(*names: str) -> list[str]:
    return [f"{name}=={version(name)}" for name in names]


@contextmanager
def _reported(store: Store) -> Iterator[None]:
    """Report what MLflow, its database or its artifact store refuses as an error for people."""
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        # MLflow lets the errors of databases, HTTP and Cloud Storage through: no base class is theirs alone.
        kind = type(error).__module__.partition(".")[0]
        if kind not in ("mlflow", "sqlalchemy", "requests", "google", "sqlite3"):
            raise
        where = store.uri if store.artifact_root is None else f"{store.uri} with artifacts in {store.artifact_root}"
        reason = " ".join(str(error).split())[:400]
        raise TrackingError(f"MLflow can't use {where}: {reason}; check MLFLOW_TRACKING_URI and its server") from error
