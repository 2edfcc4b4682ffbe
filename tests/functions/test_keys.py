"""Keys that change while the service runs: in Secret Manager, and in mounted files."""

import logging
import threading
import time

import pytest

from functions import auth
from functions.app import create_app
from functions.app import make_keys as from_settings
from functions.auth import ApiKeys
from functions.champion import Champion
from functions.keys import KeyFile, KeysUnavailable, SecretManager, SecretVersion
from functions.settings import Settings

OLD, NEW, THIRD = ("old-" * 10, "new-" * 10, "third-" * 10)
LATEST = "projects/p/secrets/mlops-api-key/versions/latest"
BEFORE = "projects/p/secrets/mlops-api-key/versions/7"


@pytest.fixture
def manager(secret_manager_server):
    """The client of the server on this machine; its transport is the only thing that differs."""
    import grpc
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceGrpcTransport,
    )

    def connect():
        channel = grpc.insecure_channel(f"127.0.0.1:{secret_manager_server.port}")
        return SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))

    return SecretManager(connect)


@pytest.fixture
def versions(secret_manager_server):
    """What the server holds; a test changes it."""
    return secret_manager_server.versions


@pytest.fixture
def make_keys(manager):
    """Keys from versions of secrets, read once; as in production, unless told otherwise."""

    def make(*names, production=True, **more):
        keys = ApiKeys(sources=[SecretVersion(name, manager) for name in names], production=production, **more)
        read(keys)
        return keys

    return make


def read(keys):
    """Read the sources to the end."""
    keys.start()
    keys.wait(30)


@pytest.fixture
def clock(monkeypatch):
    """A clock for the ages of keys, which a test moves."""

    class Clock:
        now = time.monotonic()

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr("functions.auth.time", clock)
    monkeypatch.setattr("functions.background.time", clock)
    return clock


def accepted(keys, *given):
    return [keys._find(key) is not None for key in given]


def said(caplog):
    return [record.reason for record in caplog.records if record.levelno >= logging.ERROR]


def test_version_holds_one_key_a_line(versions, make_keys):
    versions[LATEST] = f"{OLD}\n\n  {NEW}\r\n".encode()
    keys = make_keys(LATEST)
    assert accepted(keys, OLD, NEW, THIRD) == [True, True, False]


def test_several_versions_count_together_with_keys_for_good(versions, make_keys):
    versions[LATEST], versions[BEFORE] = NEW.encode(), OLD.encode()
    keys = make_keys(LATEST, BEFORE, keys=[THIRD])
    assert accepted(keys, OLD, NEW, THIRD, "x") == [True, True, True, False]


def test_key_made_after_the_start_works_with_the_request_that_brings_it(versions, make_keys):
    versions[LATEST] = OLD.encode()
    keys = make_keys(LATEST)
    versions[LATEST] = NEW.encode()
    assert keys.identify(NEW)
    assert keys.identify(OLD) is None


def test_refused_keys_cause_one_reading_a_minute_whoever_sends_them(versions, make_keys, secret_manager_server, clock):
    versions[LATEST] = OLD.encode()
    keys = make_keys(LATEST)
    for number in range(50):
        assert keys.identify(f"guess {number}") is None
    assert len(secret_manager_server.asked) == 2
    versions[LATEST] = NEW.encode()
    clock.now += auth.REFUSED_SECONDS - 1
    assert keys.identify(NEW) is None
    clock.now += 2
    assert keys.identify(NEW)
    assert len(secret_manager_server.asked) == 3


def test_removed_key_stops_once_the_keys_are_five_minutes_old(versions, make_keys, secret_manager_server, clock):
    versions[LATEST] = f"{OLD}\n{NEW}".encode()
    keys = make_keys(LATEST)
    versions[LATEST] = NEW.encode()
    clock.now += auth.REREAD_SECONDS - 1
    keys.refresh()
    assert keys.identify(OLD)
    clock.now += 2
    keys.refresh()
    keys.wait(30)
    assert keys.identify(OLD) is None
    assert keys.identify(NEW)


def test_instance_that_slept_does_not_let_a_removed_key_in(versions, make_keys, clock):
    versions[LATEST] = f"{OLD}\n{NEW}".encode()
    keys = make_keys(LATEST)
    versions[LATEST] = NEW.encode()
    clock.now += 3600
    keys.refresh()
    assert keys.identify(OLD) is None


@pytest.mark.parametrize("status", ["NOT_FOUND", "FAILED_PRECONDITION"])
def test_version_that_was_disabled_or_destroyed_takes_its_keys_along(versions, make_keys, caplog, status):
    import grpc

    versions[LATEST], versions[BEFORE] = NEW.encode(), OLD.encode()
    keys = make_keys(LATEST, BEFORE)
    versions[BEFORE] = grpc.StatusCode[status]
    for _ in range(2):
        read(keys)
    assert accepted(keys, NEW, OLD) == [True, False]
    assert said(caplog) == ["is disabled, or not there"]


@pytest.mark.parametrize("status", ["UNAVAILABLE", "PERMISSION_DENIED", "INTERNAL", "UNAUTHENTICATED"])
def test_known_keys_go_on_while_secret_manager_refuses_and_it_is_told_once(
    versions, make_keys, caplog, monkeypatch, status
):
    import grpc

    monkeypatch.setattr("functions.keys.ACCESS_SECONDS", 0.5)
    versions[LATEST] = OLD.encode()
    keys = make_keys(LATEST)
    versions[LATEST] = grpc.StatusCode[status]
    for _ in range(2):
        read(keys)
    assert accepted(keys, OLD) == [True]
    assert len(said(caplog)) == 1
    versions[LATEST] = NEW.encode()
    read(keys)
    assert accepted(keys, OLD, NEW) == [False, True]


def test_slow_secret_manager_costs_a_bounded_time(versions, make_keys, secret_manager_server):
    versions[LATEST] = OLD.encode()
    keys = make_keys(LATEST)
    secret_manager_server.seconds = 30
    before = time.perf_counter()
    assert keys.identify("unknown") is None
    assert keys.identify(OLD)
    assert time.perf_counter() - before < auth.WAIT_SECONDS + 1


@pytest.mark.parametrize(
    "content", [b"", b" \n ", b"\xff\xfe" + NEW.encode(), NEW[:31].encode(), f"{NEW}\x07".encode()]
)
def test_content_without_a_usable_key_replaces_nothing(versions, make_keys, caplog, content):
    versions[LATEST] = OLD.encode()
    keys = make_keys(LATEST)
    versions[LATEST] = content
    for _ in range(2):
        read(keys)
    assert accepted(keys, OLD) == [True]
    assert len(said(caplog)) == 1
    assert NEW[:31] not in caplog.text + str(said(caplog))


def test_short_key_among_others_is_left_out_and_told_without_showing_it(versions, make_keys, caplog):
    versions[LATEST] = f"{NEW}\ntoo-small-a-key".encode()
    keys = make_keys(LATEST)
    assert accepted(keys, NEW, "too-small-a-key") == [True, False]
    assert said(caplog) == ["1 of 2 keys are shorter than 32 characters"]


def test_short_key_is_accepted_in_development(versions, make_keys):
    versions[LATEST] = b"dev"
    assert accepted(make_keys(LATEST, production=False), "dev") == [True]


def test_missing_identity_is_told_and_no_anonymous_try_is_made(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(KeysUnavailable, match="no credentials"):
        SecretVersion(LATEST, SecretManager()).read()


def test_mounted_file_that_changes_is_read_again(tmp_path):
    file = tmp_path / "api-key"
    file.write_text(OLD)
    keys = ApiKeys(sources=[KeyFile(file)], production=True)
    read(keys)
    file.write_text(f"{NEW}\n")
    assert keys.identify(NEW)
    assert keys.identify(OLD) is None


def test_mounted_file_that_is_gone_keeps_the_known_keys(tmp_path, caplog):
    file = tmp_path / "api-key"
    file.write_text(OLD)
    keys = ApiKeys(sources=[KeyFile(file)])
    read(keys)
    file.unlink()
    assert keys.identify("other") is None
    assert keys.identify(OLD)
    assert said(caplog) == ["No such file or directory"]


def test_service_without_keys_yet_is_closed_and_opens_with_them(model, row, problem, versions, manager):

    settings = Settings(api_key_secrets=(LATEST,))
    keys = ApiKeys(sources=[SecretVersion(LATEST, manager)])
    client = create_app(settings, Champion(model), keys=keys).test_client()
    read(keys)
    for headers in ({}, {"X-API-Key": OLD}):
        body = problem(client.post("/predict", json=row, headers=headers), 503)
        assert body["type"].endswith(":no-keys")
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").status_code == client.get("/v2/health/ready").status_code == 503
    assert client.get("/health").json["status"] == "unhealthy"

    versions[LATEST] = OLD.encode()
    read(keys)
    assert client.get("/health/ready").status_code == client.get("/health").status_code == 200
    assert client.post("/predict", json=row, headers={"X-API-Key": OLD}).status_code == 200
    assert client.post("/predict", json=row).status_code == 401


def test_service_whose_key_file_is_not_there_yet_starts_closed_and_opens_with_it(tmp_path, model, row, problem, caplog):
    file = tmp_path / "api-key"
    settings = Settings.from_environ(
        {"ENVIRONMENT": "production", "CORS_ORIGINS": "https://app.example.com", "API_KEY_FILE": str(file)}
    )
    keys = from_settings(settings)
    client = create_app(settings, Champion(model), keys=keys).test_client()
    for content in (None, b"", b"\xff\xfe"):
        if content is not None:
            file.write_bytes(content)
        read(keys)
        body = problem(client.post("/predict", json=row, headers={"X-API-Key": NEW}), 503)
        assert body["type"].endswith(":no-keys")
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").status_code == 503
    assert said(caplog) == ["No such file or directory", "holds no key", "is no UTF-8 text"]

    file.write_text(f"{NEW}\ntoo-small-a-key\n")
    read(keys)
    assert client.get("/health/ready").status_code == 200
    statuses = [
        client.post("/predict", json=row, headers={"X-API-Key": key}).status_code for key in (NEW, "too-small-a-key")
    ]
    assert statuses == [200, 403]
    assert said(caplog)[3:] == ["1 of 2 keys are shorter than 32 characters"]


def test_blocked_client_causes_no_reading(model, row, versions, manager, secret_manager_server):

    versions[LATEST] = OLD.encode()
    keys = ApiKeys(sources=[SecretVersion(LATEST, manager)])
    settings = Settings(api_key_secrets=(LATEST,), rate_limit_auth_failures=1)
    client = create_app(settings, Champion(model), keys=keys).test_client()
    read(keys)
    statuses = [client.post("/predict", json=row, headers={"X-API-Key": "guess"}).status_code for _ in range(5)]
    assert statuses == [403, 429, 429, 429, 429]
    assert len(secret_manager_server.asked) == 2


def test_requests_at_once_share_one_reading(versions, make_keys, secret_manager_server):
    versions[LATEST] = OLD.encode()
    keys = make_keys(LATEST)
    versions[LATEST] = NEW.encode()
    secret_manager_server.seconds = 0.3
    found = []
    threads = [threading.Thread(target=lambda: found.append(keys.identify(NEW))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(found)
    assert len(secret_manager_server.asked) == 2


def test_keys_stand_in_no_repr(versions, make_keys):
    versions[LATEST] = OLD.encode()
    keys = make_keys(LATEST, keys=[NEW])
    shown = repr(keys) + repr(vars(keys)) + repr([vars(source) for source in keys._sources.values()])
    assert OLD not in shown
    assert NEW not in shown


def test_settings_name_the_sources_and_vertex_ai_has_none(tmp_path):
    settings = {"api_key_file": tmp_path / "api-key", "api_key_secrets": (LATEST, BEFORE)}
    assert list(from_settings(Settings(**settings))._sources) == [str(tmp_path / "api-key"), LATEST, BEFORE]
    assert list(from_settings(Settings(**settings, vertex_ai=True))._sources) == []
