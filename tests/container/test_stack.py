"""`docker compose up`: the whole system on one machine; all of it but Grafana is started."""

import json
import os
import re
import time
import uuid
from collections.abc import Mapping
from urllib.parse import quote

import pytest
import yaml

pytestmark = [pytest.mark.container, pytest.mark.slow]

STARTED = ("redis", "iris-api", "mlflow", "prometheus")
PUBLISHED = {
    "iris-api": "API_PORT",
    "mlflow": "MLFLOW_PORT",
    "prometheus": "PROMETHEUS_PORT",
    "grafana": "GRAFANA_PORT",
}
HEALTHY_SECONDS = 120


class Stack:
    """A project of Compose with its own names and ports."""

    def __init__(self, docker, folder, environment, reach):
        self._docker, self._folder, self._environment = docker, folder, environment
        self._reach = reach

    def compose(self, *words):
        """Run a command of docker compose as a user in the project's folder does, and give what it printed."""
        return self._docker("compose", *words, cwd=self._folder, env=self._environment).stdout

    def services(self):
        """The services that have a container."""
        return {name for name in PUBLISHED.keys() | {"redis"} if self.container(name)}

    def container(self, service):
        """The id of a service's container, or nothing."""
        return self.compose("ps", "--quiet", service).strip()

    def at(self, service):
        """What listens on the port of a service."""
        return self._reach(self.container(service), int(self._environment[PUBLISHED[service]]))


@pytest.fixture(scope="module")
def stack(docker, project, image, pipeline_image, reach, free_ports):
    """The stack's configuration; its containers are gone at the end."""
    name = f"iris-api-test-{uuid.uuid4().hex[:8]}"
    names = {"COMPOSE_PROJECT_NAME": name, "CONTAINER": name, "IMAGE": image, "PIPELINE_IMAGE": pipeline_image}
    ports = dict(zip(PUBLISHED.values(), map(str, free_ports(len(PUBLISHED))), strict=True))
    stack = Stack(docker, project, {**os.environ, "PWD": str(project)} | names | ports, reach)
    yield stack
    stack.compose("down", "--volumes")


@pytest.fixture(scope="module")
def developers_part(stack):
    """What `docker compose up iris-api` starts."""
    stack.compose("up", "--detach", "--no-build", "iris-api")
    return stack.services()


@pytest.fixture(scope="module")
def running(stack, developers_part, inspect):
    """The whole stack without Grafana, healthy."""
    stack.compose("up", "--detach", "--no-build", *STARTED)
    deadline = time.monotonic() + HEALTHY_SECONDS
    waiting = set(STARTED)
    while waiting := {s for s in waiting if inspect(stack.container(s))["State"]["Health"]["Status"] != "healthy"}:
        assert time.monotonic() < deadline, f"{waiting}\n{stack.compose('logs')[-4000:]}"
        time.sleep(1)
    return stack


def await_true(check, seconds=60):
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def query(stack, expression, **labels):
    """The sum of what a query gives for these labels."""
    answer = json.loads(stack.at("prometheus").ask(f"/api/v1/query?query={quote(expression)}")[1])
    found = answer["data"]["result"]
    return sum(float(series["value"][1]) for series in found if labels.items() <= series["metric"].items())


def panel(project, dashboard, title):
    """The query of a panel as Grafana sends it: rates are over four scrapes at least."""
    content = json.loads((project / "monitoring" / "grafana" / "dashboards" / f"{dashboard}.json").read_bytes())
    (expression,) = [target["expr"] for one in content["panels"] if one["title"] == title for target in one["targets"]]
    variables = {"$__rate_interval": "1m", "$job": "iris-api", "$version": ".*"}
    for name, value in variables.items():
        expression = expression.replace(name, value)
    return expression


def test_configuration_is_read_and_publishes_on_the_loopback_address_only(stack):
    services = yaml.safe_load(stack.compose("config"))["services"]
    assert services.keys() == PUBLISHED.keys() | {"redis"}
    for name, service in services.items():
        # Compose 2 writes a mapping where 1.29 writes a line
        ports = service.get("ports", [])
        addresses = [port["host_ip"] if isinstance(port, Mapping) else port.partition(":")[0] for port in ports]
        assert addresses == (["127.0.0.1"] if name in PUBLISHED else []), name


def test_every_service_is_hardened_and_pinned(stack):
    for name, service in yaml.safe_load(stack.compose("config"))["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "build" in service or re.search(r":v?\d+\.\d+", service["image"]), name


def test_grafana_has_no_password(stack):
    environment = yaml.safe_load(stack.compose("config"))["services"]["grafana"]["environment"]
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert not [name for name in environment if "PASSWORD" in name]


def test_service_alone_starts_with_its_redis_only(developers_part):
    assert developers_part == {"iris-api", "redis"}


def test_predictions_count_against_a_limit_in_redis(running, docker, row):
    status, body = running.at("iris-api").await_answer("/predict", row)
    assert status == 200
    assert json.loads(body)["prediction"] == "setosa"
    keys = docker("exec", running.container("redis"), "redis-cli", "keys", "*").stdout
    assert "predict" in keys


def test_log_of_the_service_shows_its_requests(running, row):
    running.at("iris-api").ask("/predict", row)
    assert '"requestUrl":"/predict"' in running.compose("logs", "--no-color", "iris-api")


def test_mlflow_shows_the_run_with_its_artifacts(running, bundle_folder):
    mlflow = running.at("mlflow")
    assert b"MLflow" in mlflow.ask("/")[1]
    metadata = json.loads((bundle_folder / "metadata.json").read_bytes())
    run_id = metadata["mlflow_run_id"]
    status, body = mlflow.ask(f"/api/2.0/mlflow/runs/get?run_id={run_id}")
    assert status == 200
    assert json.loads(body)["run"]["data"]["metrics"]
    status, body = mlflow.ask(f"/api/2.0/mlflow/artifacts/list?run_id={run_id}&path=plots")
    path = json.loads(body)["files"][0]["path"]
    status, artifact = mlflow.ask(f"/get-artifact?run_uuid={run_id}&path={path}")
    assert status == 200
    assert artifact


def test_prometheus_scrapes_the_service_and_loads_the_rules(running, row):
    assert running.at("iris-api").ask("/predict", row)[0] == 200
    await_true(lambda: query(running, "up") == 1)
    await_true(lambda: query(running, "model_predictions_total") >= 1)
    assert json.loads(running.at("prometheus").ask("/api/v1/rules")[1])["data"]["groups"]


def test_prediction_shows_in_the_queries_of_both_dashboards_within_a_minute(running, project, bundle_folder, row):
    examples = json.loads((bundle_folder / "metadata.json").read_bytes())["golden_examples"]
    other = next(example for example in examples if example["prediction"] != examples[0]["prediction"])
    assert running.at("iris-api").ask("/predict", row)[0] == 200
    await_true(lambda: query(running, 'flask_http_request_duration_seconds_count{method="POST",status="200"}') >= 1)

    def of_its_class():
        return query(running, panel(project, "model", "Predictions by class"), predicted_class=other["prediction"])

    def of_its_route():
        return query(running, panel(project, "service", "Requests by route"), method="POST", url_rule="/predict")

    assert of_its_class() == 0
    assert running.at("iris-api").ask("/predict", other["instance"])[0] == 200
    await_true(lambda: of_its_class() > 0 and of_its_route() > 0, seconds=60)


def test_nothing_listens_beyond_the_loopback_address(running, inspect):
    for service in STARTED:
        ports = inspect(running.container(service))["NetworkSettings"]["Ports"]
        bindings = [binding for found in ports.values() for binding in found or []]
        assert [binding["HostIp"] for binding in bindings] == ["127.0.0.1"] * (service in PUBLISHED), service
