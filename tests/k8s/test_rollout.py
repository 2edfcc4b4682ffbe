"""No request is lost while pods come and go."""

import json
import os

import pytest

from tests.k8s.cluster import Cluster, LoadBalancer, Pod, docker, load, wait_until
from tests.k8s.manifests import program

pytestmark = pytest.mark.rollout

KEY = "0123456789abcdef0123456789abcdef"
CONNECTIONS = 16
REQUESTS = 10_000
"""Fewest that a roll-out and a scale-down have to stand."""

LOST_IN_A_CRASH = 4
"""Requests that a connection may lose: what the pod was answering, and what is sent on connections that it had open."""

DELAY_SECONDS = 10
"""How long load balancers take to hear of a leaving pod here: longer than Google's usually do."""


@pytest.fixture(scope="module")
def image():
    """The image to roll out, built by make test-rollout."""
    for name, install in [("haproxy", "apt-get install haproxy"), ("wrk", "apt-get install wrk")]:
        program(name, install)
    program("docker", "https://docs.docker.com/engine/install/")
    name = os.environ.get("IMAGE", "iris-api")
    docker("image", "inspect", name)
    return name


@pytest.fixture
def request_script(bundle_folder, tmp_path):
    """A prediction for wrk, of the model's own example."""
    instance = json.loads((bundle_folder / "metadata.json").read_text())["golden_examples"][0]["instance"]
    path = tmp_path / "predict.lua"
    path.write_text(
        'wrk.method = "POST"\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
        f'wrk.headers["X-API-Key"] = "{KEY}"\n'
        f"wrk.body = '{json.dumps(instance)}'\n"
    )
    return path


@pytest.fixture
def make_cluster(build, image, tmp_path):
    """make_cluster(retries=0): the local overlay's Deployment behind a load balancer."""
    local = build("local")
    [settings] = [one["data"] for one in local.all("ConfigMap") if one["metadata"]["name"].startswith("iris-api")]
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "api-key").write_text(KEY)
    made = []

    def make_pod(spec, **variables):
        # as many predictions as wrk asks for
        unlimited = {"RATE_LIMIT_PREDICT": "1000000000"}
        return Pod(spec=spec, image=image, environment=settings | unlimited | variables, keys=keys)

    def make(deployment=None, retries=0, delay=DELAY_SECONDS):
        balancer = LoadBalancer(tmp_path, retries)
        cluster = Cluster(deployment or local.one("Deployment"), balancer, delay, make_pod)
        made.append((balancer, cluster))
        return cluster, f"http://127.0.0.1:{balancer.port}/predict"

    yield make
    for balancer, cluster in made:
        cluster.close()
        balancer.process.terminate()
        balancer.process.wait(timeout=20)


def test_roll_out_and_scale_down_lose_no_request(make_cluster, build, request_script):
    cluster, url = make_cluster()
    replicas = build("local").one("HorizontalPodAutoscaler")["spec"]["minReplicas"]
    cluster.scale(replicas)
    before = cluster.current()

    with load(url, request_script, CONNECTIONS) as stop:
        cluster.roll_out(LOG_LEVEL="WARNING")
        rolled = stop()
    print(f"roll-out of {replicas} replicas: {rolled.failed} of {rolled.requests} requests failed")  # noqa: T201
    assert not set(map(id, before)) & set(map(id, cluster.current()))
    assert len(cluster.current()) == replicas
    assert rolled.requests >= REQUESTS
    assert rolled.failed == 0, rolled.report

    with load(url, request_script, CONNECTIONS) as stop:
        cluster.scale(replicas - 1)
        shrunk = stop()
    print(f"scale-down to {replicas - 1}: {shrunk.failed} of {shrunk.requests} requests failed")  # noqa: T201
    assert shrunk.requests >= REQUESTS
    assert shrunk.failed == 0, shrunk.report

    ended = [pod for pod in cluster.pods if pod.terminating]
    assert [pod.exit_code for pod in ended] == [0] * (replicas + 1)
    assert max(pod.seconds_to_end for pod in ended) < ended[0].spec["terminationGracePeriodSeconds"]


def test_without_its_pause_a_leaving_pod_loses_requests(make_cluster, build, request_script):
    """Shows that the test above can fail: the same roll-out, with no time for load balancers to hear of it."""
    hasty = json.loads(json.dumps(build("local").one("Deployment")))
    hasty["spec"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] = 0
    cluster, url = make_cluster(deployment=hasty, delay=2)
    cluster.scale(2)
    with load(url, request_script, CONNECTIONS) as stop:
        cluster.scale(1)
        counted = stop()
    assert counted.failed > 0


def test_crash_of_a_replica_loses_few_requests_on_each_connection(make_cluster, request_script):
    """With a load balancer that tries another pod when it can't connect, as Google's and Traefik do."""
    cluster, url = make_cluster(retries=3, delay=1)
    cluster.scale(2)
    crashed = cluster.current()[0]
    with load(url, request_script, CONNECTIONS) as stop:
        wait_until(lambda: crashed.available(1), "the replica serves")
        crashed.crash()
        wait_until(lambda: crashed.ready_since is None, "the crash is noticed", 10)
        wait_until(lambda: crashed.available(3), "the replica is back", 30)
        counted = stop()
    print(f"crash of one of 2 replicas: {counted.failed} of {counted.requests} requests failed")  # noqa: T201
    assert counted.requests > 100 * CONNECTIONS
    assert counted.failed <= LOST_IN_A_CRASH * CONNECTIONS, counted.report
