"""The function `retrain` in functions-framework's own server: CloudEvents over HTTP, builds over gRPC."""

import json
from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.cloud

SOURCE = "gs://data-bucket/data/iris.csv"


@pytest.fixture
def retrain(google, serve_function):
    """The function, deployed."""
    return serve_function("retrain", **google.retrain_settings)


def finalized(name="data/iris.csv", generation="1700000000000001", minutes=1, **data):
    """An event as Eventarc makes it: its attributes and its data."""
    time = datetime.now(UTC) - timedelta(minutes=minutes)
    attributes = {
        "id": f"{generation}-event",
        "source": "//storage.googleapis.com/projects/_/buckets/data-bucket",
        "subject": f"objects/{name}",
        "type": "google.cloud.storage.object.v1.finalized",
        "time": time.isoformat().replace("+00:00", "Z"),
        "bucket": "data-bucket",
    }
    content = {
        "kind": "storage#object",
        "id": f"data-bucket/{name}/{generation}",
        "bucket": "data-bucket",
        "name": name,
        "generation": generation,
        "metageneration": "1",
        "contentType": "text/csv",
        "size": "2734",
        "timeCreated": time.isoformat().replace("+00:00", "Z"),
        "storageClass": "STANDARD",
    }
    return attributes, content | data


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_new_object_starts_a_build_on_it(google, retrain, mode):
    status, _ = retrain.deliver(*finalized(), mode=mode)
    assert status == 200
    (build,) = google.cloud_build.builds
    assert build.substitutions["_DATA_SOURCE"] == SOURCE
    assert build.substitutions["_DATA_GENERATION"] == "1700000000000001"
    (line,) = [line for line in retrain.log() if line["message"] == "build started"]
    assert (line["severity"], line["build"], line["source"]) == ("INFO", "build-1", SOURCE)


def test_each_generation_starts_one_build_however_often_it_is_delivered(google, retrain):
    for _ in range(2):
        for number in range(1, 5):
            status, _ = retrain.deliver(*finalized(generation=str(number)))
            assert status == 200
    assert [build.substitutions["_DATA_GENERATION"] for build in google.cloud_build.builds] == ["1", "2", "3", "4"]
    reasons = [line["reason"] for line in retrain.log() if line["message"] == "no build"]
    assert reasons[0] == f"build build-1 was started for generation 1 of {SOURCE}"
    assert len(reasons) == 4


def test_trigger_may_be_given_by_its_name(google, serve_function):
    by_id = google.retrain_settings["RETRAIN_TRIGGER"]
    function = serve_function("retrain", RETRAIN_TRIGGER=f"{by_id.rpartition('/')[0]}/train")
    for _ in range(2):
        assert function.deliver(*finalized())[0] == 200
    assert len(google.cloud_build.builds) == 1


def test_trigger_that_does_not_exist_is_named(google, serve_function):
    by_id = google.retrain_settings["RETRAIN_TRIGGER"]
    function = serve_function("retrain", RETRAIN_TRIGGER=f"{by_id.rpartition('/')[0]}/other")
    assert function.deliver(*finalized())[0] == 500
    assert "triggers/other: 404 Trigger" in function.output


def test_build_of_another_trigger_on_the_same_object_is_no_repeat(google, retrain):
    retrain.deliver(*finalized())
    google.cloud_build.builds[0].build_trigger_id = "another"
    google.cloud_build.builds[0].substitutions["TRIGGER_NAME"] = "another"
    retrain.deliver(*finalized())
    assert len(google.cloud_build.builds) == 2


def test_events_that_ask_for_no_build_are_answered_and_logged(google, retrain):
    for event, reason in [
        (finalized(name="other/iris.csv"), "is no object under data/"),
        (finalized(minutes=61), "more than an hour old"),
        (finalized(generation="latest"), "malformed"),
        (finalized(name="data/$(id).csv"), "must not paste"),
    ]:
        assert retrain.deliver(*event)[0] == 200
        assert reason in retrain.log()[-1]["reason"]
    assert google.cloud_build.builds == []


def test_what_the_pipeline_writes_never_starts_a_build(google, retrain):
    """Even under the watched prefix: an object that our own writer made tells so."""
    from functions.bundle.storage import Location

    Location("gs://bucket/data").write("iris.csv", b"a,b\n", 0)
    written = google.object("data/iris.csv")
    written.reload()
    assert retrain.deliver(*finalized(generation=str(written.generation), metadata=written.metadata))[0] == 200
    assert google.cloud_build.builds == []
    assert "a build would start itself" in retrain.log()[-1]["reason"]


@pytest.mark.parametrize("refusal", ["UNAVAILABLE", "PERMISSION_DENIED"])
def test_event_that_cloud_build_refuses_is_delivered_again(google, retrain, refusal):
    google.cloud_build.refusal = refusal
    assert retrain.deliver(*finalized())[0] == 500
    assert "refused by the test; the function's service account needs roles/cloudbuild" in retrain.output
    google.cloud_build.refusal = None
    assert retrain.deliver(*finalized())[0] == 200
    assert len(google.cloud_build.builds) == 1


def test_function_without_its_settings_says_which_are_missing(google, serve_function):
    function = serve_function("retrain", RETRAIN_PREFIX="models/")
    assert function.deliver(*finalized())[0] == 500
    assert "RETRAIN_TRIGGER: is not set" in function.output
    assert "RETRAIN_PREFIX: 'models/' holds what our own programs write" in function.output


def test_event_that_is_no_cloud_event_is_refused(google, retrain):
    assert retrain.post({"Content-Type": "application/json"}, json.dumps({"hello": "world"}))[0] == 400
    assert google.cloud_build.builds == []
