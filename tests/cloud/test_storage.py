"""The service's start and life while Storage is down, slow, forbidden or empty, as a real process."""

import json
import time

import pytest

from functions.bundle.storage import Location
from pipeline.promote import promote_to_bucket

pytestmark = pytest.mark.cloud

POINTER = "gs://bucket/models/champion.json"
BOUND_SECONDS = 20
"""A start waits ten seconds for Storage; the rest is this machine's, which may be busy."""


@pytest.fixture
def promoted(bucket, bundle_folder):
    """The default bundle is the bucket's champion."""
    return promote_to_bucket(bundle_folder, Location(bucket))


def info(service):
    return json.loads(service.ask("/model/info")[2])


def test_champion_of_the_bucket_is_served(start, promoted, storage_server):
    with start(MODEL_URI=POINTER, STORAGE_EMULATOR_HOST=storage_server.url) as service:
        service.await_status("/health/ready", 200)
        found = info(service)
        assert found["source"] == f"gs://bucket/models/{promoted.metadata.version}"
        assert found["stands_in_for"] is None
        assert service.stop() == 0
        assert "Traceback" not in service.output


def test_vertex_ais_folder_is_served(start, promoted, storage_server, free_port):
    folder = f"gs://bucket/models/{promoted.metadata.version}"
    vertex = {"AIP_STORAGE_URI": folder, "AIP_HTTP_PORT": str(free_port), "HOST": "127.0.0.1"}
    with start(STORAGE_EMULATOR_HOST=storage_server.url, **vertex) as service:
        service.await_status("/health/ready", 200)
        assert info(service)["source"] == folder


def test_silent_storage_delays_the_start_by_a_bounded_time_and_the_bundle_of_the_image_stands_in(
    start, promoted, storage_server, proxy_to, bundle_folder
):
    proxy = proxy_to(storage_server.port)
    proxy.open.clear()
    before = time.monotonic()
    with start(MODEL_URI=POINTER, STORAGE_EMULATOR_HOST=proxy.url, MODEL_DIR=str(bundle_folder)) as service:
        service.await_status("/health/ready", 200)
        assert time.monotonic() - before < BOUND_SECONDS
        assert info(service)["stands_in_for"] == POINTER
        assert info(service)["source"] == str(bundle_folder)
        proxy.open.set()
        deadline = time.monotonic() + 60
        while info(service)["stands_in_for"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert info(service)["source"].startswith("gs://bucket/models/")


def test_silent_storage_without_a_bundle_leaves_the_service_live_and_not_ready_until_it_speaks(
    start, promoted, storage_server, proxy_to, row
):
    proxy = proxy_to(storage_server.port)
    proxy.open.clear()
    before = time.monotonic()
    with start(MODEL_URI=POINTER, STORAGE_EMULATOR_HOST=proxy.url) as service:
        assert time.monotonic() - before < BOUND_SECONDS
        assert service.status("/health/live", timeout=2) == 200
        assert service.status("/health/ready", timeout=2) == 503
        assert service.status("/predict", row, timeout=2) == 503
        proxy.open.set()
        service.await_status("/health/ready", 200)
        assert service.status("/predict", row) == 200


def test_server_stops_while_storage_is_silent(start, storage_server, proxy_to):
    proxy = proxy_to(storage_server.port)
    proxy.open.clear()
    with start(MODEL_URI=POINTER, STORAGE_EMULATOR_HOST=proxy.url) as service:
        before = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - before < 10


def test_forbidden_bucket_is_told_once_and_the_bundle_of_the_image_stands_in(
    start, refusing_storage, bundle_folder, row
):
    with start(MODEL_URI=POINTER, STORAGE_EMULATOR_HOST=refusing_storage.url, MODEL_DIR=str(bundle_folder)) as service:
        service.await_status("/health/ready", 200)
        deadline = time.monotonic() + 30
        while refusing_storage.asked < 3:
            assert service.status("/predict", row) == 200
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert info(service)["stands_in_for"] == POINTER
        (said,) = service.reasons()
        assert "does not have storage.objects.get access" in said
        assert "their roles on the bucket" in said


def test_storage_that_is_down_or_without_identity_is_told_and_the_service_is_live(start, bundle_folder):
    for settings, reason in (
        ({"STORAGE_EMULATOR_HOST": "http://127.0.0.1:9"}, "Connection refused"),
        ({}, "no credentials"),
    ):
        with start(MODEL_URI=POINTER, **settings) as service:
            deadline = time.monotonic() + 40
            while not service.reasons():
                assert service.status("/health/ready") == 503
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert reason in service.reasons()[0]
            assert service.status("/health/live") == 200


def test_empty_bucket_is_tried_until_it_has_a_champion(start, bucket, storage_server, bundle_folder):
    with start(MODEL_URI=POINTER, STORAGE_EMULATOR_HOST=storage_server.url) as service:
        assert service.status("/health/ready") == 503
        assert service.reasons() == [f"{POINTER}: is not there"]
        promote_to_bucket(bundle_folder, Location(bucket))
        service.await_status("/health/ready", 200)
