"""The Open Inference Protocol, spoken by its own client, and by hand where the client can't misbehave."""

import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request
import warnings
from pathlib import Path

import numpy as np
import pytest

from functions.model import Model

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # gevent, below the client, complains of itself at import
    import tritonclient.http as triton
    from tritonclient.utils import InferenceServerException

ROOT = Path(__file__).resolve().parents[2]
LABELS = ("label", "probabilities")


@pytest.fixture(scope="module")
def port(bundle_folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    environment = dict(os.environ, MODEL_DIR=str(bundle_folder), PORT=str(number), RATE_LIMIT_PREDICT="1000000")
    server = subprocess.Popen(
        [sys.executable, "-m", "functions.server"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{number}/v2/health/ready", timeout=1):
                break
        except OSError:
            time.sleep(0.05)
    yield number
    server.terminate()
    assert server.wait(timeout=20) == 0


@pytest.fixture
def server(port):
    client = triton.InferenceServerClient(f"127.0.0.1:{port}")
    yield client
    client.close()


@pytest.fixture
def name(model):
    return model.metadata.name


@pytest.fixture
def values(model, rows):
    names = model.metadata.feature_names
    return np.array([[row[feature] for feature in names] for row in rows], dtype=np.float32)


def tensor(values, name="input", datatype="FP32", **options):
    made = triton.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, **options)
    return made


def test_client_finds_server_and_model_ready(server, name, model):
    assert server.is_server_live()
    assert server.is_server_ready()
    assert server.is_model_ready(name)
    assert server.is_model_ready(name, model.version)
    assert not server.is_model_ready("another")
    assert server.get_server_metadata()["extensions"] == ["binary_tensor_data"]


def test_client_reads_inputs_and_outputs_of_the_model(server, name, model):
    metadata = server.get_model_metadata(name)
    classes = len(model.metadata.target_names)
    assert metadata["versions"] == [model.version]
    assert metadata["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, model.metadata.n_features]}]
    assert metadata["outputs"] == [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, classes]},
    ]


@pytest.mark.parametrize("binary_input", [True, False])
@pytest.mark.parametrize("outputs", [None, (True, True), (False, False), (True, False)])
def test_client_gets_the_golden_answers(server, name, model, values, binary_input, outputs):
    asked = outputs and [triton.InferRequestedOutput(n, binary_data=b) for n, b in zip(LABELS, outputs, strict=True)]
    result = server.infer(name, [tensor(values, binary_data=binary_input)], outputs=asked, request_id="seven")
    golden = model.metadata.golden_examples
    labels = [label.decode() if isinstance(label, bytes) else label for label in result.as_numpy("label").tolist()]
    assert labels == [example.prediction for example in golden]
    expected = [example.probabilities for example in golden]
    assert result.as_numpy("probabilities") == pytest.approx(np.array(expected), abs=1e-5)
    response = result.get_response()
    assert (response["id"], response["model_name"], response["model_version"]) == ("seven", name, model.version)


def test_client_gets_only_the_output_that_it_asks_for(server, name, values):
    result = server.infer(name, [tensor(values)], outputs=[triton.InferRequestedOutput("label")])
    assert [output["name"] for output in result.get_response()["outputs"]] == ["label"]


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_client_may_send_one_tensor_for_each_feature(server, name, model, values, shape):
    columns = [
        tensor(values[:, index].copy().reshape(shape), feature)
        for index, feature in enumerate(model.metadata.feature_names)
    ]
    result = server.infer(name, columns[::-1])
    assert result.as_numpy("probabilities") == pytest.approx(
        server.infer(name, [tensor(values)]).as_numpy("probabilities")
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: [tensor(v[:, :3].copy())], r"the shape is \[\d+, 3\], the model takes \[-1, 4\]"),
        (lambda v: [tensor(v.astype(np.float64), datatype="FP64")], "has datatype FP64, the model takes FP32"),
        (lambda v: [tensor(v, "other")], "the inputs are other; send input, or one for each of sepal_length"),
        (lambda v: [tensor(v), tensor(v)], "given twice"),
        (lambda v: [tensor(v[:0].copy())], "0 rows are not between 1 and"),
        (lambda v: [tensor(v * 100)], r"row 0, feature 'sepal_length': \d+ is not between 0 and 20"),
        (lambda v: [tensor(np.full_like(v, np.nan))], "row 0, feature 'sepal_length': nan is not between"),
    ],
)
def test_client_is_told_what_is_wrong(server, name, values, change, message):
    with pytest.raises(InferenceServerException, match=message) as caught:
        server.infer(name, change(values))
    assert caught.value.status() == "400"


def test_client_is_told_of_an_unknown_model_version_and_output(server, name, values):
    with pytest.raises(InferenceServerException, match="there is no model another; this is"):
        server.infer("another", [tensor(values)])
    with pytest.raises(InferenceServerException, match=f"there is no model {name}, version 0"):
        server.infer(name, [tensor(values)], model_version="0")
    with pytest.raises(InferenceServerException, match="there is no output 'score'; the outputs are label"):
        server.infer(name, [tensor(values)], outputs=[triton.InferRequestedOutput("score")])


def request_of(values, **changes):
    return {"inputs": [{"name": "input", "shape": list(values.shape), "datatype": "FP32"} | changes]}


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        (b"", {}, "no inference request"),
        (b"[" * 100_000, {}, "no inference request"),
        (b'{"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32"}]}', {}, "needs its data"),
        (b"{}", {"Inference-Header-Content-Length": "-1"}, "is no length within the body"),
        (b"{}", {"Inference-Header-Content-Length": "3"}, "is no length within the body"),
        (b"{}", {"Inference-Header-Content-Length": "9" * 5000}, "is no length within the body"),
        (b'{"inputs": []}xxxx', {"Inference-Header-Content-Length": "14"}, "4 bytes follow the last tensor"),
    ],
)
def test_malformed_body_is_named(client, name, body, headers, message):
    response = client.post(f"/v2/models/{name}/infer", data=body, headers=headers)
    assert response.status_code == 400
    assert set(response.json) == {"error"}
    assert message in response.json["error"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": [1, 2, 3]}, r"does not fill its shape [1, 4]"),
        ({"data": [[1, 2, 3, "4"]]}, "is not all numbers"),
        ({"data": [[1, 2, 3, True]]}, "is not all numbers"),
        ({"data": [[1, 2], [3]]}, "does not fill its shape"),
        ({"data": [[1, 2, 3, None]]}, "is not all numbers"),
        ({"data": [1, 2, 3, 4], "shape": [-1, 4]}, "negative size"),
        ({"data": [1, 2, 3, 4], "shape": [10**30, 4]}, "does not fill its shape"),
        ({"parameters": {"binary_data_size": 16}}, "beyond the body's end"),
    ],
)
def test_malformed_tensor_is_named(client, name, changes, message):
    body = request_of(np.zeros((1, 4)), **changes)
    response = client.post(f"/v2/models/{name}/infer", data=json.dumps(body))
    assert (response.status_code, set(response.json)) == (400, {"error"})
    assert message in response.json["error"]


def test_features_of_another_shape_than_a_column_are_refused(client, name, model, values):
    features = model.metadata.feature_names
    for shape, data in [([], [5.0]), ([1, 1, 1], [5.0]), ([1, 2], [5.0, 5.0])]:
        inputs = [{"name": feature, "shape": shape, "datatype": "FP32", "data": data} for feature in features]
        response = client.post(f"/v2/models/{name}/infer", json={"inputs": inputs})
        assert (response.status_code, set(response.json)) == (400, {"error"})
        assert f"has shape {shape}; every feature takes [n] or [n, 1]" in response.json["error"]


def test_json_data_may_be_nested_or_flat(client, name, values):
    url = f"/v2/models/{name}/infer"
    nested = client.post(url, json=request_of(values, data=values.tolist())).json
    flat = client.post(url, json=request_of(values, data=values.reshape(-1).tolist())).json
    assert nested == flat
    assert [output["name"] for output in nested["outputs"]] == ["label", "probabilities"]


def test_errors_are_the_protocols_own(make_client, name):
    unloaded = make_client(model=None)
    assert unloaded.get("/v2/health/live").status_code == 200
    assert unloaded.get("/v2/health/ready").status_code == 503
    for response, status in [
        (unloaded.get(f"/v2/models/{name}"), 503),
        (unloaded.get(f"/v2/models/{name}/ready"), 503),
        (unloaded.get("/v2/nothing"), 404),
        (unloaded.get(f"/v2/models/{name}/infer"), 405),
        (unloaded.post("/v2"), 405),
    ]:
        assert response.status_code == status
        assert response.is_json
    for path in ("/v2", "/v2/nothing", f"/v2/models/{name}/ready"):
        assert set(unloaded.post(path).json) == {"error"}
    assert unloaded.get("/v2nothing").content_type == "application/problem+json"


def test_inference_needs_the_key_and_counts_against_its_limit(make_client, name, values):
    key = "a-key-for-the-inference-protocol"
    client = make_client(api_keys=(key,), rate_limit_predict=1)
    url, body = f"/v2/models/{name}/infer", request_of(values, data=values.tolist())
    assert client.post(url, json=body).status_code == 401
    answered = client.post(url, json=body, headers={"X-API-Key": key})
    assert answered.status_code == 200
    assert answered.headers["X-Model-Version"]
    refused = client.post(url, json=body, headers={"X-API-Key": key})
    assert (refused.status_code, set(refused.json)) == (429, {"error"})
    assert int(refused.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("labels", "datatype", "size"), [([0, 1], "INT64", 8), ([False, True], "BOOL", 1)], ids=["integer", "boolean"]
)
def test_labels_keep_their_type(make_client, fit_bundle, two_features, tmp_path, labels, datatype, size):
    folder = fit_bundle(tmp_path / "bundle", two_features, [labels[i >= 20] for i in range(40)])
    client = make_client(Model.from_folder(folder, 100))
    values = np.array([[-20, 1], [19, 4]])
    body = request_of(values, data=values.tolist())
    url = "/v2/models/Small/infer"
    answer = client.post(url, json=body).json["outputs"][0]
    assert (answer["datatype"], answer["data"]) == (datatype, labels)
    assert [type(label) for label in answer["data"]] == [type(label) for label in labels]
    binary = client.post(url, json=body | {"parameters": {"binary_data_output": True}})
    start = int(binary.headers["Inference-Header-Content-Length"])
    described = json.loads(binary.data[:start])["outputs"][0]
    assert described["parameters"] == {"binary_data_size": 2 * size}
    assert struct.unpack("<2q" if size == 8 else "<2?", binary.data[start : start + 2 * size]) == tuple(labels)


def test_feature_named_input_is_taken_as_a_feature(make_client, fit_bundle, tmp_path):
    folder = fit_bundle(tmp_path / "bundle", {"input": [float(i) for i in range(40)]}, [i >= 20 for i in range(40)])
    client = make_client(Model.from_folder(folder, 100))
    body = request_of(np.zeros(2), data=[0.0, 39.0])
    assert client.post("/v2/models/Small/infer", json=body).json["outputs"][0]["data"] == [False, True]


def test_missing_values_pass_where_the_model_imputes(make_client, fit_bundle, two_features, tmp_path):
    folder = fit_bundle(tmp_path / "bundle", two_features, [i >= 20 for i in range(40)], nullable=("a",))
    client = make_client(Model.from_folder(folder, 100))
    content = np.array([[np.nan, 1.0]], dtype="<f4").tobytes()
    head = json.dumps(request_of(np.zeros((1, 2)), parameters={"binary_data_size": len(content)})).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    assert client.post("/v2/models/Small/infer", data=head + content, headers=headers).status_code == 200
    swapped = np.array([[1.0, np.nan]], dtype="<f4").tobytes()
    assert client.post("/v2/models/Small/infer", data=head + swapped, headers=headers).status_code == 400
