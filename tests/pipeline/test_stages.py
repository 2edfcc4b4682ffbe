"""The stages' main functions in this process, on data with gaps, boolean classes and odd names."""

import csv
import io
import json
import sys

import numpy as np
import pytest
import yaml

from pipeline import console, evaluate, prepare, promote, release, train
from pipeline.errors import ExportError, InvalidData, PipelineError
from pipeline.install import load_bundle
from pipeline.paths import MODELS

# MLflow's own code uses what its dependencies deprecate.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::sqlalchemy.exc.SADeprecationWarning",
    "ignore:.*Any type hint is inferred as AnyType:UserWarning",
)


@pytest.fixture
def folder(tmp_path, monkeypatch, default_params, generator):
    """A project with a data set of its own: 400 rows, three features, a twentieth of the values missing."""
    values = generator.normal(size=(400, 3))
    classes = values[:, 0] + values[:, 1] > 0
    values[generator.random(values.shape) < 0.05] = np.nan
    with (tmp_path / "own.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["a b", "c", "d/e", "ok?"])
        for row, label in zip(values.tolist(), classes.tolist(), strict=True):
            rows.writerow([*("" if value != value else value for value in row), label])
    content = default_params | {"train": {"estimator": "sklearn.linear_model.LogisticRegression", "C": 0.5}}
    content["data"] = default_params["data"] | {
        "source": "own.csv",
        "target": "ok?",
        "bounds": {},
        "impute": "mean",
        "scale": True,
    }
    content["evaluate"] = default_params["evaluate"] | {"floors": {"accuracy": 0.8, "f1_score": 0.8}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/runs.db")
    return tmp_path


def set_data(folder, **values):
    content = yaml.safe_load((folder / "params.yaml").read_text())
    content["data"] |= values
    (folder / "params.yaml").write_text(yaml.safe_dump(content))


def test_stages_release_a_model_of_data_with_gaps_and_boolean_classes(folder):
    assert "3 features, 2 classes" in prepare.main()
    assert "exported model equals the fitted one" in train.main()
    assert "the gate is passed" in evaluate.main()
    assert "released version" in release.main()

    bundle = load_bundle(MODELS)
    assert bundle.metadata.target_names == [False, True]
    assert bundle.metadata.feature_names == ["a b", "c", "d/e"]
    assert all(feature.nullable and feature.reference.missing for feature in bundle.metadata.features)
    assert set(bundle.metrics.per_class) == {"false", "true"}
    assert promote.main([]).endswith("IrisClassifier@champion is version 1")
    assert "compared with champion" in evaluate.main()
    assert [check["kind"] for check in json.loads((folder / "artifacts/gate.json").read_text())["checks"]] == [
        "floor",
        "floor",
        "non-inferiority",
        "non-inferiority",
    ]


def test_missing_values_without_an_imputer_are_refused(folder):
    set_data(folder, impute=None)

    with pytest.raises(InvalidData, match=r"own\.csv: column '.*', line \d+: the value is missing"):
        prepare.main()


def test_linear_model_that_would_overflow_within_its_bounds_is_refused(folder):
    prepare.main()
    set_data(folder, bounds_margin=None)

    with pytest.raises(ExportError, match=r"random in-bounds row .*narrow data\.bounds or data\.bounds_margin"):
        train.main()


def test_error_is_reported_without_a_traceback(capsys):
    def fail():
        raise PipelineError("this is wrong; do that")

    with pytest.raises(SystemExit) as done:
        console.run(fail)
    assert done.value.code == 1
    assert capsys.readouterr().err == "error: this is wrong; do that\n"
    console.run(lambda: "all is well")
    assert capsys.readouterr().out == "all is well\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_gives_every_item_and_is_quiet_where_nobody_looks(monkeypatch, terminal):
    stderr = io.StringIO()
    stderr.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", stderr)

    assert list(console.progress(range(3), "counting", 3)) == [0, 1, 2]
    assert stderr.getvalue() == ""
