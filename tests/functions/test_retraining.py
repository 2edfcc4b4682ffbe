"""Which events ask for a build."""

from datetime import UTC, datetime, timedelta

import pytest
from cloudevents.http import CloudEvent

from functions.cloud_build import BuildRequest
from functions.events import OBJECT_FINALIZED, MalformedEvent
from functions.retraining import NoBuild, build_request

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OBJECT = {"bucket": "data-bucket", "name": "data/iris.csv", "generation": "1700000000000001", "metageneration": "1"}


def event(data=None, minutes=1, **attributes):
    """A finalized event of some minutes ago."""
    known = {
        "id": "1",
        "source": "//storage.googleapis.com/projects/_/buckets/data-bucket",
        "type": OBJECT_FINALIZED,
        "time": (NOW - timedelta(minutes=minutes)).isoformat(),
    }
    return CloudEvent(known | attributes, OBJECT | (data or {}))


def test_new_object_asks_for_a_build_on_it():
    request = build_request(event(), "data/", NOW)
    assert request == BuildRequest(
        source="gs://data-bucket/data/iris.csv", generation=1700000000000001, since=NOW - timedelta(minutes=1)
    )
    assert request.substitutions == {
        "_DATA_SOURCE": "gs://data-bucket/data/iris.csv",
        "_DATA_GENERATION": "1700000000000001",
    }


@pytest.mark.parametrize("name", ["data/2026/week=47/a_b.c+d@e.parquet", "data/data/x"])
def test_object_anywhere_under_the_prefix_asks_for_a_build(name):
    assert build_request(event({"name": name}), "data/", NOW).source == f"gs://data-bucket/{name}"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": {"name": "other/iris.csv"}}, "is no object under data/"),
        ({"data": {"name": "database.csv"}}, "is no object under data/"),
        ({"data": {"name": "x/data/iris.csv"}}, "is no object under data/"),
        ({"data": {"name": "data/"}}, "is no object under data/"),
        ({"data": {"name": "data/folder/"}}, "is no object under data/"),
        ({"data": {"metadata": {"written-by": "mlops-core", "more": "x"}}}, "a build would start itself"),
        ({"data": {"name": "data/$(curl evil).csv"}}, "must not paste"),
        ({"data": {"name": "data/a;b.csv"}}, "must not paste"),
        ({"data": {"name": "data/a b.csv"}}, "must not paste"),
        ({"data": {"name": "data/a\nb.csv"}}, "must not paste"),
        ({"minutes": 60.01}, "more than an hour old"),
        ({"type": "google.cloud.storage.object.v1.deleted"}, "tells of no new object"),
    ],
    ids=str,
)
def test_event_that_asks_for_no_build_is_refused_with_the_reason(changes, reason):
    with pytest.raises(NoBuild, match=reason):
        build_request(event(**changes), "data/", NOW)


def test_object_that_somebody_else_marked_asks_for_a_build():
    assert build_request(event({"metadata": {"written-by": "a colleague"}}), "data/", NOW)


def test_time_with_another_offset_is_the_same_time():
    assert build_request(event(time="2026-11-22T13:59:00+02:00"), "data/", NOW).since == NOW - timedelta(minutes=1)
    assert build_request(event(time="2026-11-22T13:59:00+02:00"), "data/", NOW).since.utcoffset() == timedelta(0)


def test_event_of_exactly_an_hour_ago_still_asks_for_a_build():
    assert build_request(event(minutes=60), "data/", NOW)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"data": {"bucket": ""}}, r"\$\.bucket"),
        ({"data": {"name": 7}}, r"\$\.name"),
        ({"data": {"generation": "latest"}}, r"\$\.generation"),
        ({"data": {"generation": 0}}, r"\$\.generation"),
        ({"time": "yesterday"}, r"\$\.time"),
        ({"time": "2026-11-22T12:00:00"}, r"\$\.time"),
    ],
    ids=str,
)
def test_malformed_event_is_refused_with_the_place(changes, where):
    with pytest.raises(MalformedEvent, match=where):
        build_request(event(**changes), "data/", NOW)


@pytest.mark.parametrize("data", [None, "text", b"\x00", [1]], ids=repr)
def test_event_without_an_object_is_malformed(data):
    attributes = dict(event().get_attributes())
    with pytest.raises(MalformedEvent):
        build_request(CloudEvent(attributes, data), "data/", NOW)
