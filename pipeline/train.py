"""Stage train: fit the model, export it, prove that both are equal, and log all of it to MLflow.

The run gets its scores and plots on the test rows here, from the exported model, and not in the
evaluate stage: so a run is complete when it ends, and evaluate can be repeated without the store.
"""

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from functions.bundle.files import METADATA_FILE, MODEL_FILE, BundleError, encode
from functions.bundle.runtime import Classifier
from pipeline import console
from pipeline.assessment import Assessment, assess
from pipeline.card import bounds_of, build_metadata, recorded_params
from pipeline.errors import ExportError
from pipeline.export import export
from pipeline.metrics import SCORES, score
from pipeline.model import CLASSIFIER, build_pipeline, classes_of, fit, to_float32
from pipeline.params import DataParams, Params, read_params
from pipeline.parity import Parity, RowSet, prove, random_rows, threshold_rows
from pipeline.paths import CANDIDATE, PROCESSED
from pipeline.plots import figures
from pipeline.table import Table, digest_of, read_split
from pipeline.tracking import Origin, Trained, log_training, parse_store

EXAMPLES = 3
"""Rows of the input example in MLflow."""


def main() -> str:
    """Train on data/processed, write artifacts/candidate, and say what was proved."""
    params = read_params()
    store = parse_store(os.environ.get("MLFLOW_TRACKING_URI"))
    origin = Origin(started=datetime.now(UTC), git_commit=git_commit(), data_digest=digest_of(PROCESSED))
    train, test = read_split(PROCESSED)
    pipeline = fit(build_pipeline(params), train)
    model = export(pipeline, len(train.features))
    classifier = open_exported(model)
    parity = prove(pipeline, classifier, train.features, parity_rows(params, pipeline[-1], train, test))
    classes = classes_of(pipeline)
    assessment = assess(classifier, test, classes, params.evaluate.importance_repeats, params.data.random_state)
    rows = to_float32(train.values)
    probabilities = classifier.probabilities(rows)
    examples = slice(0, EXAMPLES)
    logged = log_training(
        store,
        params.tracking,
        origin,
        Trained(
            pipeline=pipeline,
            model=model,
            features=train.features,
            rows=rows[examples],
            labels=np.array(classes)[probabilities[examples].argmax(axis=1)],
            probabilities=probabilities[examples],
        ),
        params=flat(recorded_params(params)),
        metrics=run_metrics(assessment, parity),
        figures=figures(assessment),
    )
    metadata = build_metadata(
        params=params,
        train=train,
        classes=classes,
        model=model,
        model_type=type(pipeline.named_steps[CLASSIFIER]).__name__,
        probabilities=probabilities,
        logged=logged,
        created_at=origin.started,
        git_commit=origin.git_commit,
        data_digest=origin.data_digest,
    )
    write_candidate(CANDIDATE, {MODEL_FILE: model, METADATA_FILE: encode(metadata)})
    return (
        f"{CANDIDATE}: version {metadata.version}, MLflow run {logged.run_id}; exported model equals the fitted one on "
        f"{parity.rows} rows (probabilities within {parity.difference:.1e}, {parity.ties} ties broken the other way)"
    )


def open_exported(model: bytes) -> Classifier:
    """The exported model as the service runs it.

    Raises:
        ExportError: onnxruntime can't run it.
    """
    try:
        return Classifier(model)
    except BundleError as error:
        raise ExportError(f"{error}; name another estimator") from error


def parity_rows(params: Params, estimator: object, train: Table, test: Table) -> list[RowSet]:
    """All rows on which the exported model is compared with the fitted one.

    Thresholds are met exactly only where trees see the features as they come in: an imputer passes
    them on as they are, a scaler does not.
    """
    data, rows = params.data, to_float32(train.values)
    typical = np.nanmedian(rows, axis=0).astype(np.float32)
    sets = [
        RowSet("training", rows, train.origins),
        RowSet("test", to_float32(test.values), test.origins),
    ]
    for what, (low, high) in {"random": training_range(train), "random in-bounds": allowed_range(train, data)}.items():
        half = (params.export.random_rows + 1) // 2
        drawn = random_rows(low, high, half, data.random_state, missing=data.impute is not None)
        sets.append(RowSet(what, drawn))
    if not data.scale:
        sets.append(RowSet("threshold", threshold_rows(estimator, typical)))
    return sets


def training_range(train: Table) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest training value of each feature."""
    return np.nanmin(train.values, axis=0), np.nanmax(train.values, axis=0)


def allowed_range(train: Table, data: DataParams) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each feature that the service accepts."""
    bounds = [
        bounds_of(column, data.bounds.get(name), data.bounds_margin)
        for name, column in zip(train.features, train.values.T, strict=True)
    ]
    return np.array([low for low, _ in bounds]), np.array([high for _, high in bounds])


def run_metrics(assessment: Assessment, parity: Parity) -> dict[str, float]:
    """What the run shows as metrics: scores on the test rows, and how well both models agree."""
    scores = score(assessment.confusion)
    found = {name: float(scores.get(name)) for name in SCORES}
    found |= {f"roc_auc_{index}": curve.area for index, curve in enumerate(assessment.roc)}
    return found | {"parity_rows": parity.rows, "parity_difference": parity.difference, "parity_ties": parity.ties}


def flat(params: dict[str, dict[str, object]]) -> dict[str, object]:
    """Parameters by section as parameters by section.key."""
    return {f"{section}.{key}": value for section, keys in params.items() for key, value in keys.items()}


def git_commit() -> str | None:
    """The commit that is checked out, None outside Git."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    except FileNotFoundError:
        return None
    return found.stdout.strip() if found.returncode == 0 else None


def write_candidate(folder: Path, files: dict[str, bytes]) -> None:
    """Replace the folder's content."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    console.run(main)
