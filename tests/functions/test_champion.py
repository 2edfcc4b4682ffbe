"""The model that answers, replaced while it serves: from a real storage server, a folder, MLflow's artifacts."""

import gc
import json
import logging
import re
import shutil
import subprocess
import threading
import time
import weakref
from types import SimpleNamespace

import msgspec
import pytest

from functions.app import create_app, make_champion, make_keys, prepare
from functions.bundle.files import METADATA_FILE, METRICS_FILE, MODEL_FILE, digest, encode, read_bundle
from functions.bundle.pointer import POINTER, Pointer
from functions.bundle.sources import ArtifactSource, FolderSource, PointerSource, source_of
from functions.bundle.storage import Location
from functions.champion import Champion
from functions.settings import Settings

FILES = (MODEL_FILE, METRICS_FILE, METADATA_FILE)


@pytest.fixture
def files(bundle_folder):
    """The files of the default bundle as another version, with changes of its metadata."""

    def make(version, **changes):
        content = {name: (bundle_folder / name).read_bytes() for name in FILES}
        metadata = read_bundle(bundle_folder).metadata
        content[METADATA_FILE] = encode(msgspec.structs.replace(metadata, version=version, **changes))
        return content

    return make


class Bucket:
    """A bucket's models/, written as a promotion writes it, and in ways that it never would."""

    def __init__(self, uri):
        self.uri = f"{uri}/{POINTER}"
        self.place = Location(uri)

    def upload(self, version, files):
        for name, content in files.items():
            place = f"{version}/{name}"
            self.place.write(place, content, self.place.generation(place) or 0)

    def point(self, version, /, **changes):
        pointer = Pointer(version=version, path=version, digest=digest(self.place.read(f"{version}/{MODEL_FILE}")[0]))
        self.write(encode(msgspec.structs.replace(pointer, **changes)))

    def write(self, content):
        self.place.write(POINTER, content, self.place.generation(POINTER) or 0)


@pytest.fixture
def models(bucket):
    return Bucket(bucket)


class Counts:
    """An observer that keeps what it is told."""

    def __init__(self):
        self.models, self.outcomes = [], []

    def serve_model(self, model):
        self.models.append(model and model.version)

    def count_reload(self, outcome):
        self.outcomes.append(outcome)


@pytest.fixture
def make():
    """A champion of a source, with its observer; `check` runs a check to its end."""

    def made(source, model=None):
        champion = Champion(model, source_of(source) if isinstance(source, str) else source, max_rows=10)
        counts = Counts()
        champion.observe(counts)
        return champion, counts

    return made


def check(champion):
    champion.start()
    champion.wait(60)
    assert champion._check._idle.is_set()
    return champion.current()


def reasons(caplog):
    return [record.reason for record in caplog.records if hasattr(record, "reason")]


def test_pointer_moves_the_model_forward_and_back(models, files, make):
    for version in ("one", "two"):
        models.upload(version, files(version))
    champion, counts = make(models.uri)
    seen = []
    for version in ("one", "two", "one"):
        models.point(version)
        found = check(champion)
        seen.append((found.version, found.source))
    folder = models.uri.removesuffix(f"/{POINTER}")
    assert seen == [("one", f"{folder}/one"), ("two", f"{folder}/two"), ("one", f"{folder}/one")]
    assert counts.models == [None, "one", "two", "one"]
    assert counts.outcomes == ["loaded"] * 2


def test_pointer_that_stays_is_read_and_nothing_else(models, files, make, monkeypatch):
    models.upload("one", files("one"))
    models.point("one")
    champion, counts = make(models.uri)
    before = check(champion)
    read = []
    real = Location.read
    monkeypatch.setattr(Location, "read", lambda self, name="": read.append(name) or real(self, name))
    assert check(champion) is before
    assert read == [POINTER]
    assert counts.outcomes == []


def test_folder_in_a_bucket_is_served(models, files, make):
    models.upload("one", files("one"))
    uri = f"{models.place.uri}/one/"
    champion, _ = make(uri)
    assert check(champion).source == uri.rstrip("/")


def test_pointer_on_this_machine_is_served_and_followed(tmp_path, files, make):
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        for name, content in files(version).items():
            (tmp_path / version / name).write_bytes(content)
    champion, _ = make(str(tmp_path / POINTER))
    seen = []
    for version in ("one", "two", "one"):
        found = read_bundle(tmp_path / version).metadata.model_sha256
        (tmp_path / POINTER).write_bytes(encode(Pointer(version=version, path=version, digest=found)))
        seen.append(check(champion).version)
    assert seen == ["one", "two", "one"]


def swap_first_prediction(files):
    metadata = json.loads(files[METADATA_FILE])
    metadata["golden_examples"][0]["prediction"] = "virginica"
    return files | {METADATA_FILE: json.dumps(metadata).encode()}


def replace_model(files):
    """A model of other features, which loads, and fails when it is run."""
    from onnx import TensorProto, helper

    node = helper.make_node("Identity", ["input"], ["probabilities"])
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 9]) for name in ("input", "probabilities")]
    graph = helper.make_graph([node], "graph", tensors[:1], tensors[1:])
    version = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[version], ir_version=8).SerializeToString()
    metadata = json.loads(files[METADATA_FILE]) | {"model_sha256": digest(model)}
    return files | {MODEL_FILE: model, METADATA_FILE: json.dumps(metadata).encode()}


BAD = {
    "damaged model": (lambda files: files | {MODEL_FILE: files[MODEL_FILE][:-1]}, {}, "sha256"),
    "unknown format": (lambda files: files | {METADATA_FILE: b'{"format": 9}'}, {}, "bundle format 9 is unknown"),
    "damaged metrics": (lambda files: files | {METRICS_FILE: b"{"}, {}, METRICS_FILE),
    "other digest in the pointer": (lambda files: files, {"digest": "0" * 64}, "is not the bundle that"),
    "other version in the pointer": (lambda files: files, {"version": "three"}, "is not the bundle that"),
    "wrong golden answers": (swap_first_prediction, {}, "golden example 0"),
    "model that fails when it is run": (replace_model, {}, "can't answer the golden examples"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_successor_is_told_once_and_counted_while_offered_and_the_old_model_goes_on(
    models, files, make, caplog, case
):
    spoil, pointer, reason = BAD[case]
    models.upload("one", files("one"))
    models.point("one")
    champion, counts = make(models.uri)
    old = check(champion)
    models.upload("two", spoil(files("two")))
    models.point("two", **pointer)

    for _ in range(3):
        assert check(champion) is old
    assert counts.outcomes == ["refused"] * 3
    assert counts.models == [None, "one"]
    (said,) = reasons(caplog)
    assert reason in said

    models.upload("two", files("two"))
    models.point("two")
    for _ in range(2):
        assert check(champion).version == "two"
    assert counts.outcomes[3:] == ["loaded"]


def test_pointer_that_is_none_is_refused_and_told_once(models, files, make, caplog):
    models.upload("one", files("one"))
    models.point("one")
    champion, counts = make(models.uri)
    old = check(champion)
    models.write(b'{"version": "../../etc"}')
    for _ in range(2):
        assert check(champion) is old
    assert counts.outcomes == ["refused"] * 2
    assert [f"{models.uri} is no pointer to a bundle" in said for said in reasons(caplog)] == [True]


def fitted(fit_bundle, folder, columns, labels, **changes):
    """A small bundle, with changes of its metadata."""
    bundle = read_bundle(fit_bundle(folder, columns, labels))
    (folder / METADATA_FILE).write_bytes(encode(msgspec.structs.replace(bundle.metadata, **changes)))
    return FolderSource(str(folder))


@pytest.mark.parametrize(
    ("names", "labels", "changes", "what"),
    [
        ("ac", ("high", "low"), {}, "features"),
        ("ba", ("high", "low"), {}, "features"),
        ("abc", ("high", "low"), {}, "features"),
        ("ab", ("high", "lower"), {}, "classes"),
        ("ab", (1, 0), {}, "classes"),
        ("ab", ("high", "low"), {"name": "Another"}, "name"),
    ],
)
def test_model_with_another_interface_does_not_replace(
    fit_bundle, two_features, make, tmp_path, caplog, names, labels, changes, what
):
    columns = two_features | {"c": two_features["b"]}
    old = check(make(fitted(fit_bundle, tmp_path / "old", two_features, ["high"] * 20 + ["low"] * 20))[0])
    new = {name: columns[name] for name in names}
    first, second = labels
    source = fitted(fit_bundle, tmp_path / "new", new, [first] * 20 + [second] * 20, version="2", **changes)
    champion, counts = make(source, model=old)
    assert check(champion) is old
    assert counts.outcomes == ["refused"]
    assert f"version 2 has other {what} than version 1" in reasons(caplog)[0]


def test_true_and_false_are_other_classes_than_one_and_zero(fit_bundle, two_features, make, tmp_path):
    old = check(make(fitted(fit_bundle, tmp_path / "old", two_features, [0] * 20 + [1] * 20))[0])
    champion, counts = make(fitted(fit_bundle, tmp_path / "new", two_features, [False] * 20 + [True] * 20), model=old)
    assert check(champion) is old
    assert counts.outcomes == ["refused"]


def test_empty_and_half_uploaded_bucket_is_tried_until_it_is_complete(models, files, make, caplog):
    champion, counts = make(models.uri)
    assert check(champion) is None
    content = files("one")
    named = Pointer(version="one", path="one", digest=digest(content[MODEL_FILE]))
    models.write(encode(named))
    for name in FILES:
        assert check(champion) is None
        models.upload("one", {name: content[name]})
    assert check(champion).version == "one"
    assert counts.outcomes == ["unreachable"] * 4
    assert [said.rpartition("/")[2] for said in reasons(caplog)] == [
        f"{POINTER}: is not there",
        f"{METADATA_FILE}: is not there",
    ]
    assert all(record.message == "no model is served" for record in caplog.records if record.levelno == logging.ERROR)


def test_storage_that_is_gone_is_told_once_and_found_again(models, files, make, caplog, storage_server, monkeypatch):
    monkeypatch.setattr("functions.bundle.storage.RETRY_SECONDS", 1.0)
    models.upload("one", files("one"))
    models.upload("two", files("two"))
    models.point("one")
    champion, counts = make(models.uri)
    old = check(champion)
    models.point("two")
    storage_server._process.terminate()
    storage_server._process.wait()
    for _ in range(2):
        assert check(champion) is old
    assert counts.outcomes == ["unreachable", "unreachable"]
    assert ["Connection refused" in said for said in reasons(caplog)] == [True]

    command = storage_server._process.args
    storage_server._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    storage_server._wait_until_ready(timeout=10)
    assert check(champion).version == "two"


def test_missing_identity_is_an_error_that_says_so(make, caplog, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    champion, counts = make("gs://bucket/models/champion.json")
    assert check(champion) is None
    assert counts.outcomes == ["unreachable"]
    assert ["no credentials" in said for said in reasons(caplog)] == [True]


class Gate:
    """A source whose reading waits until it is let through."""

    def __init__(self, source):
        self.uri, self.open, self.looks = source.uri, threading.Event(), 0
        self._source = source

    def look(self):
        self.looks += 1
        assert self.open.wait(30)
        return self._source.look()


def test_requests_start_one_check_and_are_answered_meanwhile(models, files, model):
    models.upload("one", files("one"))
    models.point("one")
    gate = Gate(PointerSource(models.uri))
    champion = Champion(model, gate, max_rows=10, reload_seconds=3600)
    started = time.perf_counter()
    assert {champion.current() for _ in range(1000)} == {model}
    assert time.perf_counter() - started < 1
    gate.open.set()
    champion.wait(30)
    assert {champion.current().version for _ in range(1000)} == {"one"}
    assert gate.looks == 1


def test_instance_that_slept_answers_its_first_request_with_the_model_that_was_promoted_meanwhile(
    models, files, monkeypatch
):
    for version in ("one", "two"):
        models.upload(version, files(version))
    models.point("one")
    champion = Champion(None, PointerSource(models.uri), max_rows=10, reload_seconds=60)
    assert check(champion).version == "one"
    models.point("two")
    awake = time.monotonic
    monkeypatch.setattr("functions.background.time", SimpleNamespace(monotonic=lambda: awake() + 3600))
    assert champion.current().version == "two"


def test_request_waits_a_bounded_time_for_a_silent_source_after_a_sleep(model, monkeypatch):
    gate = Gate(FolderSource("nowhere"))
    champion = Champion(model, gate, max_rows=10, reload_seconds=60)
    champion._check.due -= 3600
    monkeypatch.setattr(champion._check, "_patience", 0.5)
    before = time.perf_counter()
    assert champion.current() is model
    assert 0.5 <= time.perf_counter() - before < 2
    gate.open.set()
    champion.wait(30)


@pytest.mark.parametrize(("seconds", "looks"), [(1, 2), (0, 1)])
def test_source_is_asked_at_most_every_so_many_seconds(bundle_folder, seconds, looks):
    gate = Gate(FolderSource(str(bundle_folder)))
    gate.open.set()
    champion = Champion(None, gate, max_rows=10, reload_seconds=seconds)
    deadline = time.monotonic() + 30
    while champion.current() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    loaded = time.monotonic()
    while time.monotonic() < loaded + 1.5:
        champion.current()
        time.sleep(0.01)
    assert gate.looks == looks


def test_replaced_model_leaves_the_memory(models, files, make):
    for version in ("one", "two"):
        models.upload(version, files(version))
    models.point("one")
    champion, _ = make(models.uri)
    old = weakref.ref(check(champion))
    models.point("two")
    gc.disable()
    try:
        check(champion)
        assert old() is None
    finally:
        gc.enable()


def test_every_route_follows_the_model(models, files, make, make_client, row):
    for version in ("one", "two"):
        models.upload(version, files(version, params={"this is": version}))
    champion, _ = make(models.uri)
    client = create_app(Settings(rate_limit_health=100, rate_limit_predict=100), champion).test_client()
    assert client.get("/health/ready").status_code == 503
    assert client.post("/predict", json=row).status_code == 503
    for version in ("one", "two"):
        models.point(version)
        check(champion)
        assert client.get("/health/ready").status_code == client.get("/v2/health/ready").status_code == 200
        assert client.get("/").json["model"]["version"] == version
        assert client.get("/model/info").json["params"] == {"this is": version}
        assert client.get("/model/info").headers["X-Model-Version"] == version
        assert client.post("/predict", json=row).headers["X-Model-Version"] == version
        assert client.get("/v2/models/IrisClassifier").json["versions"] == [version]
        assert f'version="{version}"' in client.get("/metrics").text
        assert "/predict" in client.get("/openapi.json").json["paths"]
    assert 'model_reloads_total{outcome="loaded"} 1.0' in client.get("/metrics").text
    shown = re.findall(r'model_info\{.*version="(\w+)"\} (.*)', client.get("/metrics").text)
    assert shown == [("one", "0.0"), ("two", "1.0")]


def started(settings):
    champion, keys = make_champion(settings), make_keys(settings)
    client = create_app(settings, champion, keys=keys).test_client()
    prepare(champion, keys, settings)
    return champion, client


def test_bundle_of_the_image_stands_in_and_says_so_until_the_asked_for_is_there(models, files, bundle_folder, model):
    champion, client = started(Settings(model_uri=models.uri, model_dir=bundle_folder))
    info = client.get("/model/info").json
    assert (info["version"], info["source"]) == (model.version, str(bundle_folder))
    assert info["stands_in_for"] == models.uri
    assert client.get("/health/ready").status_code == 200

    models.upload("one", files("one"))
    models.point("one")
    check(champion)
    info = client.get("/model/info").json
    assert (info["version"], info["source"]) == ("one", f"{models.place.uri}/one")
    assert info["stands_in_for"] is None


def test_stand_in_of_another_interface_gives_way_to_the_asked_for(
    models, files, fit_bundle, two_features, tmp_path, model
):
    baked = fit_bundle(tmp_path / "baked", two_features, ["high"] * 20 + ["low"] * 20)
    champion, client = started(Settings(model_uri=models.uri, model_dir=baked))
    assert client.get("/model/info").json["model_type"] == "LogisticRegression"
    models.upload("one", files("one"))
    models.point("one")
    check(champion)
    info = client.get("/model/info").json
    assert (info["version"], info["stands_in_for"]) == ("one", None)
    assert info["feature_names"] == model.metadata.feature_names


def test_damaged_bundle_of_the_image_does_not_stand_in(models, bundle_folder, tmp_path, caplog):
    image = shutil.copytree(bundle_folder, tmp_path / "image")
    (image / METADATA_FILE).write_text("{")
    _, client = started(Settings(model_uri=models.uri, model_dir=image))
    assert client.get("/health/ready").status_code == 503
    assert str(image / METADATA_FILE) in reasons(caplog)[-1]


def test_bundle_of_the_image_whose_model_fails_does_not_stand_in_nor_end_the_start(models, files, tmp_path, caplog):
    for name, content in replace_model(files("one")).items():
        (tmp_path / name).write_bytes(content)
    _, client = started(Settings(model_uri=models.uri, model_dir=tmp_path))
    assert client.get("/health/ready").status_code == 503
    assert "can't answer the golden examples" in reasons(caplog)[-1]


@pytest.mark.parametrize("name", FILES)
def test_folder_in_the_place_of_a_file_is_named(bundle_folder, tmp_path, make, caplog, name):
    folder = shutil.copytree(bundle_folder, tmp_path / "bundle")
    (folder / name).unlink()
    (folder / name).mkdir()
    champion, _ = make(str(folder))
    assert check(champion) is None
    assert reasons(caplog) == [f"{folder / name}: Is a directory"]


def test_explicit_bundle_wins_over_that_of_the_image(models, files, bundle_folder):
    models.upload("one", files("one"))
    models.point("one")
    _, client = started(Settings(model_uri=models.uri, model_dir=bundle_folder))
    assert client.get("/model/info").json["version"] == "one"


def test_start_without_any_model_is_live_and_not_ready(models, tmp_path):
    _, client = started(Settings(model_uri=models.uri, model_dir=tmp_path))
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health").status_code == 503


def test_folder_that_gets_its_bundle_after_the_start_is_served(tmp_path, bundle_folder):
    champion, client = started(Settings(model_dir=tmp_path / "models"))
    assert client.get("/health/ready").status_code == 503
    shutil.copytree(bundle_folder, tmp_path / "models")
    check(champion)
    assert client.get("/health/ready").status_code == 200


def upload_tree(bucket, folder, prefix):
    """What `gcloud storage cp -r FOLDER gs://BUCKET/` does: the folder's name becomes the prefix."""
    for path in folder.rglob("*"):
        if path.is_file():
            bucket.write(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes(), 0)


@pytest.mark.parametrize("scores", [True, False])
def test_metadata_names_the_model_among_mlflows_artifacts(trained_project, bucket, model, row, tmp_path, scores):
    upload_tree(Location("gs://bucket"), trained_project / "mlruns", "mlruns")
    kept = (METADATA_FILE, METRICS_FILE) if scores else (METADATA_FILE,)
    for name in kept:
        shutil.copy(trained_project / "models" / name, tmp_path)
    _, client = started(Settings(model_dir=tmp_path, artifact_root="gs://bucket/mlruns/"))
    info = client.get("/model/info").json
    assert info["version"] == model.version
    assert info["source"] == f"gs://bucket/mlruns/{model.metadata.model_artifact_path}"
    assert info["accuracy"] == (model.metrics.accuracy if scores else None)
    assert client.post("/predict", json=row).json["prediction"] == model.metadata.golden_examples[0].prediction


def test_model_that_is_not_among_mlflows_artifacts_is_named(tmp_path, bundle_folder, make, caplog):
    shutil.copy(bundle_folder / METADATA_FILE, tmp_path)
    champion, _ = make(ArtifactSource(tmp_path, str(tmp_path / "mlruns")))
    assert check(champion) is None
    (said,) = reasons(caplog)
    path = read_bundle(bundle_folder).metadata.model_artifact_path
    assert said == f"{tmp_path}/mlruns/{path}/{MODEL_FILE}: is not there"
