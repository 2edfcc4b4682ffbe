"""The app as the environment describes it, through each way's own entry point, inside this process."""

import json
import logging
import socket

import functions_framework
import pytest

from functions import server
from functions.app import from_environment
from functions.settings import Settings

KEY = "an-example-key-of-more-than-32-characters"


@pytest.fixture(autouse=True)
def _root_logger():
    """Give the root logger back as it was: starting configures it."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before, level


@pytest.fixture
def environment(monkeypatch, bundle_folder):
    """Set variables beside the model's folder."""

    def change(**variables):
        for name, value in {"MODEL_DIR": str(bundle_folder), **variables}.items():
            monkeypatch.setenv(name, value)

    return change


def test_environment_makes_the_app(environment, row, capsys):
    environment(API_KEY=KEY, RATE_LIMIT_PREDICT="1")
    client = from_environment().test_client()
    headers = {"X-API-Key": KEY}
    statuses = [client.post("/predict", json=row, headers=headers).status_code for _ in range(2)]
    assert statuses == [200, 429]
    assert client.post("/predict", json=row).status_code == 401


def test_environment_that_cannot_be_used_ends_the_process_with_every_fault(environment):
    environment(ENVIRONMENT="production", WORKERS="none")
    with pytest.raises(SystemExit) as caught:
        from_environment()
    assert all(name in str(caught.value) for name in ("WORKERS", "API_KEY", "CORS_ORIGINS"))


def test_environment_without_key_is_warned_of_once(environment, capsys):
    environment()
    from_environment()
    assert capsys.readouterr().out.count("no API_KEY is set") == 1


@pytest.mark.parametrize("variables", [{}, {"API_KEY": KEY}], ids=["open", "with key"])
def test_function_target_serves_all_routes(environment, row, variables):
    environment(**variables)
    client = functions_framework.create_app("predict", "functions/main.py").test_client()
    headers = {"X-API-Key": KEY} if variables else {}
    assert client.post("/predict", json=row, headers=headers).json["prediction"]
    assert client.get("/health/ready").status_code == 200
    assert client.get("/model/info").status_code == (401 if variables else 200)
    assert client.options("/predict").status_code == 200
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"


def test_function_that_cannot_use_its_environment_answers_nothing_but_an_error_and_says_once_why(environment, capsys):
    environment(ENVIRONMENT="production")
    client = functions_framework.create_app("predict", "functions/main.py").test_client()
    for _ in range(3):
        response = client.get("/health")
        assert response.status_code == 500
        assert "API_KEY" not in response.text
    captured = capsys.readouterr()
    (line,) = [json.loads(line) for line in captured.out.splitlines() if line.startswith("{")]
    assert (line["severity"], line["message"]) == ("CRITICAL", "the service can't start")
    assert all(name in line["reason"] for name in ("API_KEY: ", "CORS_ORIGINS: "))
    assert "Traceback" not in captured.out + captured.err


def test_server_keeps_idle_connections_longer_than_the_load_balancer(free_port):
    made = server.server(Settings(port=free_port))
    assert made.http1_settings.header_read_timeout > 600_000
    assert made.workers_kill_timeout < 10


def test_server_refuses_an_environment_that_cannot_be_used(environment):
    environment(ENVIRONMENT="production")
    with pytest.raises(SystemExit, match=r"(?s)API_KEY.*CORS_ORIGINS"):
        server.main()


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_server_refuses_a_port_that_is_taken(environment, family, host):
    try:
        taken = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with taken:
        port = taken.getsockname()[1]
        environment(HOST=host, PORT=str(port))
        with pytest.raises(SystemExit, match=str(port)):
            server.main()
