import copy
import re
from pathlib import Path

import pytest

from pipeline.errors import InvalidParams
from pipeline.params import describe, parse_params, read_params

ROOT = Path(__file__).resolve().parents[2]


def test_params_of_the_project_are_accepted_with_the_values_that_users_know():
    params = read_params(ROOT / "params.yaml")

    assert (params.data.test_size, params.data.random_state) == (0.2, 42)
    assert params.train.arguments == {"n_estimators": 200, "max_depth": 10}
    assert (params.tracking.experiment, params.tracking.registered_model) == ("iris-classification", "IrisClassifier")


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("data", "test_siz", 0.2, r"data\.test_siz is unknown; .*Known here: source, target, test_size"),
        ("data", "test_size", ..., r"data\.test_size is missing; add it \(share of rows"),
        ("data", "test_size", 1.0, r"data\.test_size: expected `float` < 1\.0; correct the value \(share of rows"),
        ("data", "test_size", "0.2", r"data\.test_size: expected `float`, got `str`"),
        ("data", "random_state", -1, r"data\.random_state: expected `int` >= 0"),
        ("data", "impute", "zero", r"data\.impute: invalid enum value 'zero'; .*mean, median or most_frequent"),
        ("data", "scale", 1, r"data\.scale: expected `bool`"),
        ("data", "bounds", {"petal_width": [2, 1]}, r"data\.bounds\.petal_width: 2 is not below 1"),
        ("data", "bounds", {"petal_width": [2]}, r"data\.bounds\[\.\.\.\]: expected `array` of length 2"),
        ("data", "bounds_margin", 0, r"data\.bounds_margin: expected `float` > 0"),
        ("evaluate", "floors", {"accuracy": 0.9}, r"evaluate\.floors\.f1_score is missing"),
        ("evaluate", "confidence", 1, r"evaluate\.confidence: expected `float` < 1\.0"),
        ("tracking", "experiment", "", r"tracking\.experiment: expected `str` of length >= 1"),
        ("train", "estimator", ..., r"train\.estimator is missing"),
        ("train", "estimator", 3, r"train\.estimator is missing or no text"),
    ],
)
def test_params_with_a_fault_are_refused_with_key_reason_and_remedy(default_params, section, key, value, message):
    content = copy.deepcopy(default_params)
    if value is ...:
        del content[section][key]
    else:
        content[section][key] = value

    with pytest.raises(InvalidParams, match=message):
        parse_params(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the file: expected `object`, got `null`"),
        ({}, "data is missing"),
        ({"model": {}}, "model is unknown; .*Known here: data, train, export, evaluate, tracking"),
    ],
)
def test_params_with_other_sections_are_refused(content, message):
    with pytest.raises(InvalidParams, match=message):
        parse_params(content)


def test_params_file_that_is_missing_or_no_yaml_is_named(tmp_path):
    with pytest.raises(InvalidParams, match=r"none\.yaml: No such file"):
        read_params(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("data: [")
    with pytest.raises(InvalidParams, match=r"broken\.yaml is not YAML"):
        read_params(tmp_path / "broken.yaml")


def test_params_table_in_the_docs_has_every_key_with_its_meaning():
    page = (ROOT / "docs/experiments.md").read_text().partition("## Parameters")[2]
    rows = dict(re.findall(r"^\| `([a-z0-9_.]+)` \| .*? \| (.*) \|$", page, flags=re.MULTILINE))

    assert {key: text for key, text in rows.items() if key != "train.estimator"} == describe()
