"""The whole pipeline, run by DVC as a user runs it."""

import csv
import json
import shutil
import subprocess
import sys

import pytest
import yaml
from sklearn.datasets import load_wine

from functions.app import create_app
from functions.champion import Champion
from functions.model import Model
from functions.settings import Settings


def test_stages_modules_and_params_agree(reproduced, default_params):
    stages = yaml.safe_load(reproduced.read("dvc.yaml"))["stages"]

    for name, stage in stages.items():
        assert stage["cmd"] == f"python -m pipeline.{name}"
        assert f"pipeline/{name}.py" in stage["deps"]
    known = {f"{section}.{key}" for section, keys in default_params.items() for key in keys} | set(default_params)
    known |= {"evaluate.importance_repeats"}
    assert {key for stage in stages.values() for key in stage.get("params", [])} <= known


def test_stage_depends_on_every_module_that_it_imports(reproduced):
    stages = yaml.safe_load(reproduced.read("dvc.yaml"))["stages"]
    # change nothing in what a stage writes: messages, places, access to buckets
    neutral = {"__init__", "console", "errors", "paths"}

    for name, stage in stages.items():
        code = f"import sys, pipeline.{name}; print(*(m for m in sys.modules if m.startswith('pipeline.')))"
        loaded = {module.removeprefix("pipeline.") for module in reproduced.run("python", "-c", code).stdout.split()}
        declared = {dep.removeprefix("pipeline/").removesuffix(".py") for dep in stage["deps"] if "pipeline/" in dep}
        assert declared >= loaded - neutral, name


@pytest.mark.parametrize("stage", ["prepare", "evaluate", "release"])
def test_stage_imports_nothing_heavy(reproduced, stage):
    code = f"import sys, pipeline.{stage}; print(*sys.modules)"
    loaded = set(reproduced.run("python", "-c", code).stdout.split())

    assert not loaded & {"sklearn", "mlflow", "pandas", "scipy", "matplotlib", "google.cloud.storage", "pyarrow"}


def test_repro_with_nothing_changed_does_nothing(reproduced):
    said = reproduced.run("dvc", "repro").stdout

    assert said.count("didn't change, skipping") == 4
    assert "Running stage" not in said
    assert "up to date" in reproduced.run("dvc", "status").stdout


def test_repro_outside_git_gives_the_same_bytes(reproduced, copied, tmp_path):
    project = copied(tmp_path / "plain")
    project.run("dvc", "config", "core.no_scm", "true")
    project.run("dvc", "repro")

    for name in ("models/model.onnx", "models/metrics.json", "artifacts/gate.json", "data/processed/train.csv"):
        assert project.read(name) == reproduced.read(name), name


def test_repro_with_a_floor_out_of_reach_fails_and_keeps_the_released_bundle(project):
    before = project.folder_content("models")
    project.set(evaluate__floors__accuracy=0.999)

    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "error: the candidate did not pass the gate, and models/ is as it was" in done.stderr
    assert "accuracy 0.9333 is below its floor 0.9990, by 0.0657" in done.stderr
    assert "Traceback" not in done.stderr
    assert project.folder_content("models") == before
    assert json.loads(project.read("artifacts/gate.json"))["passed"] is False


def test_champion_that_is_damaged_fails_evaluate(project):
    project.run("python", "-m", "pipeline.promote")
    (project.folder / "champion/model.onnx").write_bytes(b"damaged")

    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "error: champion/model.onnx: its sha256 is" in done.stderr


def test_experiment_changes_a_parameter_and_is_compared_with_the_champion(project):
    project.run("python", "-m", "pipeline.promote")
    project.run("dvc", "exp", "run", "--set-param", "train.n_estimators=20")

    gate = json.loads(project.read("artifacts/gate.json"))
    assert gate["champion"]["comparable"] is True
    assert [check["kind"] for check in gate["checks"]] == ["floor", "floor", "non-inferiority", "non-inferiority"]
    assert json.loads(project.read("models/metadata.json"))["params"]["train"]["n_estimators"] == 20
    assert "train.n_estimators" in project.run("dvc", "params", "diff").stdout
    assert "0.93333" in project.run("dvc", "metrics", "show").stdout
    page = project.run("dvc", "plots", "show", "--out", "plots").stdout
    assert page.strip().endswith("index.html")
    html = (project.folder / "plots/index.html").read_text()
    for title in ("Confusion matrix", "ROC, each class against the others", "Feature importance"):
        assert title in html


def test_wine_goes_through_with_other_params_only(project):
    project.run("python", "-m", "pipeline.promote")
    wine = load_wine()
    with (project.folder / "data/raw/wine.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["cultivar", *wine.feature_names])
        labels = (wine.target + 1).tolist()
        rows.writerows([label, *values] for label, values in zip(labels, wine.data.tolist(), strict=True))
    project.set(
        data__source="data/raw/wine.csv",
        data__target="cultivar",
        data__bounds={"od280/od315_of_diluted_wines": [0, 10]},
        tracking__experiment="wine",
        tracking__registered_model="WineClassifier",
    )
    project.run("dvc", "repro")

    metadata = json.loads(project.read("models/metadata.json"))
    assert metadata["target_names"] == [1, 2, 3]
    assert metadata["name"] == "WineClassifier"
    bounds = {feature["name"]: feature["bounds"] for feature in metadata["features"]}
    assert list(bounds) == list(wine.feature_names)
    assert bounds["od280/od315_of_diluted_wines"] == [0.0, 10.0]
    gate = json.loads(project.read("artifacts/gate.json"))
    assert gate["champion"]["comparable"] is False
    assert "only the champion has 'petal_length'" in gate["champion"]["reason"]

    client = create_app(Settings(), Champion(Model.from_folder(project.folder / "models", max_rows=10))).test_client()
    example = metadata["golden_examples"][-1]
    assert client.post("/predict", json=example["instance"]).json["prediction"] == example["prediction"]
    schemas = client.get("/openapi.json").json["components"]["schemas"]
    assert set(schemas["Instance"]["properties"]) == set(wine.feature_names)
    assert schemas["Prediction"]["properties"]["prediction"] == {"type": "integer", "enum": [1, 2, 3]}
    refused = client.post("/predict", json=example["instance"] | {"od280/od315_of_diluted_wines": 11})
    assert refused.json["errors"] == [{"field": "od280/od315_of_diluted_wines", "message": "must be between 0 and 10"}]


@pytest.mark.parametrize("stage", ["prepare", "train", "evaluate", "release", "promote"])
def test_stage_in_an_empty_folder_says_what_to_do(reproduced, tmp_path, stage):
    code = f"import runpy; runpy.run_module('pipeline.{stage}', run_name='__main__')"
    for name in ("pipeline", "functions"):
        shutil.copytree(reproduced.folder / name, tmp_path / name)

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
