"""Bundles: what is damaged, incomplete or contradictory is refused, with its file and the fault."""

import json
import shutil

import numpy as np
import pytest

from functions.bundle.files import (
    BUNDLE_FILES,
    METADATA_FILE,
    METRICS_FILE,
    MODEL_FILE,
    BundleError,
    digest,
    encode,
    read_bundle,
    read_candidate,
)
from functions.bundle.runtime import Classifier, load_classifier
from functions.model import Model


@pytest.fixture
def folder(bundle_folder, tmp_path):
    """A copy of the bundle that a test may damage."""
    return shutil.copytree(bundle_folder, tmp_path / "bundle")


@pytest.fixture
def change(folder):
    """Change values of a JSON file of the bundle: each a path of keys, and the new value."""

    def apply(changes, name=METADATA_FILE):
        content = json.loads((folder / name).read_text())
        for path, value in changes.items():
            *parents, last = path
            place = content
            for key in parents:
                place = place[key]
            if value is None and isinstance(place, dict) and last != "git_commit":
                del place[last]
            else:
                place[last] = value
        (folder / name).write_text(json.dumps(content))

    return apply


def refusal(folder):
    with pytest.raises(BundleError) as caught:
        Model.from_folder(folder, max_rows=10)
    return str(caught.value)


def test_complete_bundle_is_read(folder):
    bundle = read_bundle(folder)
    assert bundle.metadata.model_sha256 == digest(bundle.model)
    assert read_candidate(folder).metadata == bundle.metadata
    assert load_classifier(bundle)


def test_candidate_needs_no_metrics(folder):
    (folder / METRICS_FILE).unlink()
    assert read_candidate(folder)


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_missing_file_is_named(folder, name):
    (folder / name).unlink()
    message = refusal(folder)
    assert str(folder / name) in message
    assert "No such file" in message


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_folder_in_a_files_place_is_named(folder, name):
    (folder / name).unlink()
    (folder / name).mkdir()
    assert str(folder / name) in refusal(folder)


def test_missing_folder_is_named(tmp_path):
    assert str(tmp_path / "none") in refusal(tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"format": '], ids=repr)
@pytest.mark.parametrize("name", [METADATA_FILE, METRICS_FILE])
def test_damaged_json_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    assert str(folder / name) in refusal(folder)


def test_other_model_is_refused_by_its_digest(folder):
    (folder / MODEL_FILE).write_bytes((folder / MODEL_FILE).read_bytes()[:-1])
    message = refusal(folder)
    assert str(folder / MODEL_FILE) in message
    assert "sha256" in message


@pytest.mark.parametrize("version", [None, 0, 2, "1", 1.5])
def test_unknown_format_is_refused_whatever_else_changed(folder, change, version):
    change({("format",): version, ("features",): "quite different"})
    message = refusal(folder)
    assert METADATA_FILE in message
    assert "format" in message
    assert repr(version) in message


def test_field_that_is_not_known_is_ignored(folder, change):
    change({("added_later",): 1})
    assert read_bundle(folder)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({("name",): None}, "name"),
        ({("features",): []}, "features"),
        ({("task",): "regression"}, "task"),
        ({("version",): "../escape"}, "version"),
        ({("version",): ""}, "version"),
        ({("target_names",): ["one"]}, "target_names"),
        ({("target_names", 0): 1.5}, "target_names"),
        ({("model_sha256",): "abc"}, "model_sha256"),
        ({("data_digest",): "abc"}, "data_digest"),
        ({("n_samples",): 0}, "n_samples"),
        ({("n_features",): 3}, "n_features is not 4"),
        ({("features", 1, "name"): "sepal_length"}, "features repeat 'sepal_length'"),
        ({("features", 1, "name"): ""}, "features[1].name"),
        ({("features", 1, "dtype"): "float64"}, "features[1].dtype"),
        ({("target_names", 1): "setosa"}, "target_names repeat 'setosa'"),
        ({("target_reference",): [1, 2]}, "target_reference has not 3"),
        ({("features", 0, "bounds"): [1.0, 1.0]}, "features['sepal_length'].bounds"),
        ({("features", 0, "bounds"): [2.0, 1.0]}, "features['sepal_length'].bounds"),
        ({("features", 0, "bounds"): [0.0, 1e39]}, "features['sepal_length'].bounds"),
        ({("features", 0, "reference", "counts"): [1]}, "features['sepal_length'].reference"),
        ({("features", 0, "reference"): {"edges": [2.0, 1.0], "counts": [1, 1, 1]}}, "reference.edges"),
        ({("features", 0, "reference"): {"edges": [1.0, 1.0], "counts": [1, 1, 1]}}, "reference.edges"),
        ({("features", 0, "reference", "counts", 0): -1}, "counts"),
        ({("golden_examples",): []}, "golden_examples"),
        ({("golden_examples", 0, "instance"): {"sepal_length": 1}}, "golden_examples[0] has other features"),
        ({("golden_examples", 1, "probabilities"): [1.0]}, "golden_examples[1] has not 3"),
        ({("golden_examples", 0, "prediction"): "tulip"}, "golden_examples[0] predicts a class"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_contradictory_metadata_is_refused_with_the_field(folder, change, changes, fault):
    change(changes)
    message = refusal(folder)
    assert str(folder / METADATA_FILE) in message
    assert fault in message


@pytest.mark.parametrize("score", ["accuracy", "precision", "recall", "f1_score", "n_samples", "confusion_matrix"])
def test_missing_score_is_named(folder, change, score):
    change({(score,): None}, METRICS_FILE)
    message = refusal(folder)
    assert str(folder / METRICS_FILE) in message
    assert score in message


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({("golden_examples", 0, "prediction"): "virginica"}, "golden example 0"),
        ({("golden_examples", 0, "probabilities"): [0.5, 0.25, 0.25]}, "golden example 0"),
        ({("golden_examples", 0, "probabilities"): [0.99, 0.005, 0.005]}, "1e-05 is allowed"),
    ],
)
def test_wrong_golden_answer_is_refused(folder, change, changes, fault):
    change(changes)
    message = refusal(folder)
    assert str(folder / MODEL_FILE) in message
    assert fault in message


def test_model_with_another_number_of_classes_is_refused(folder, change, fit_bundle, two_features, tmp_path):
    other = fit_bundle(tmp_path / "other", two_features, ["low"] * 20 + ["high"] * 20)
    content = (other / METADATA_FILE).read_text().replace('"high"', '"x"').replace('"low"', '"high"')
    metadata = json.loads(content)
    metadata["target_names"].append("third")
    metadata["target_reference"].append(0)
    for example in metadata["golden_examples"]:
        example["probabilities"].append(0.0)
    (other / METADATA_FILE).write_text(json.dumps(metadata))
    assert "2 probabilities for 3 classes" in refusal(other)


def test_what_is_no_onnx_model_is_refused(folder, change):
    (folder / MODEL_FILE).write_bytes(b"no model")
    change({("model_sha256",): digest(b"no model")})
    message = refusal(folder)
    assert str(folder / MODEL_FILE) in message
    assert "onnxruntime can't load the model" in message


def test_model_with_other_tensors_is_refused(tmp_path):
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    values = np.array([[0.0], [1.0]], dtype=np.float32)
    exported = to_onnx(LogisticRegression().fit(values, [0, 1]), values).SerializeToString()
    with pytest.raises(BundleError, match="where input 'input' and output 'probabilities' are expected"):
        Classifier(exported)


def onnx_model(input_type, columns, *nodes):
    """A model with the right names; `nodes` are (operator, inputs, outputs, attributes)."""
    from onnx import TensorProto, helper, numpy_helper

    to_classes = numpy_helper.from_array(np.full((4, 3), 0.1, dtype=np.float32), "to_classes")
    made = [
        helper.make_node(name, inputs, outputs, domain="ai.onnx.ml" if name == "ZipMap" else "", **attributes)
        for name, inputs, outputs, attributes in nodes
    ]
    taken = [helper.make_tensor_value_info("input", getattr(TensorProto, input_type), [None, columns])]
    given = [helper.make_empty_tensor_value_info("probabilities")]
    graph = helper.make_graph(made, "graph", taken, given, [to_classes])
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=versions, ir_version=8).SerializeToString()


CLASSES = ("MatMul", ["input", "to_classes"], ["classes"], {})
UNUSABLE = {
    "other number of features": (("FLOAT", 3, ("Identity", ["input"], ["probabilities"], {})), "Got: 4 Expected: 3"),
    "other type of input": (("DOUBLE", 4, ("Cast", ["input"], ["probabilities"], {"to": 1})), "tensor(double)"),
    "one dictionary a row": (
        ("FLOAT", 4, CLASSES, ("ZipMap", ["classes"], ["probabilities"], {"classlabels_strings": ["a", "b", "c"]})),
        "list",
    ),
    "labels": (("FLOAT", 4, CLASSES, ("Cast", ["classes"], ["probabilities"], {"to": 7})), "int64"),
    "texts": (("FLOAT", 4, CLASSES, ("Cast", ["classes"], ["probabilities"], {"to": 8})), "object"),
    "one number a row": (
        ("FLOAT", 4, CLASSES, ("ReduceMax", ["classes"], ["probabilities"], {"axes": [1], "keepdims": 0})),
        "1 probabilities for 3 classes",
    ),
    "one number": (
        ("FLOAT", 4, CLASSES, ("ReduceMax", ["classes"], ["probabilities"], {"keepdims": 0})),
        "shape []",
    ),
    "other number of rows": (
        ("FLOAT", 4, CLASSES, ("Concat", ["classes", "classes"], ["probabilities"], {"axis": 0})),
        "shape [12, 3] for 6 golden examples",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_model_that_loads_and_can_not_answer_is_refused(folder, change, case):
    model, reason = UNUSABLE[case]
    content = onnx_model(*model)
    assert Classifier(content)
    (folder / MODEL_FILE).write_bytes(content)
    change({("model_sha256",): digest(content)})
    message = refusal(folder)
    assert message.startswith(f"{folder / MODEL_FILE}: the model ")
    assert reason in message


def test_encoding_is_the_same_for_the_same_value():
    assert encode({"b": 1, "a": [1.5, None]}) == encode({"a": [1.5, None], "b": 1})
    assert encode({"a": 1}) == b'{\n  "a": 1\n}\n'
