"""The build from end to end: the steps of cloudbuild.yaml on this machine, and what they leave behind.

A step's own command runs, with one exception that the environment makes: `make test` runs one file of tests, since
the whole suite is CI's other half and takes longer than all else here. The tests build on each other: an empty
project gets its first image, then its service; what fails afterwards must leave that as it was.
"""

import json
import os
import re
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.delivery


@pytest.fixture(scope="module")
def cloud(make_cloud, registry, remove_images):
    cloud = make_cloud(registry)
    cloud.environment["PYTEST_ADDOPTS"] = "-n0 --cov-fail-under=0 tests/test_makefile.py"
    yield cloud
    remove_images(cloud)


@pytest.fixture(scope="module")
def builder(cloud, make_builder, require_program):
    """Builds what gcloud would upload of this checkout: no .git, no environment, no model."""
    gcloud, source = require_program("gcloud"), cloud.folder / "source"
    root = make_builder.root
    listed = subprocess.run(
        [gcloud, "meta", "list-files-for-upload"], cwd=root, capture_output=True, text=True, check=True
    )
    for name in set(listed.stdout.splitlines()) - {"dvc.lock"}:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, source / name)
    assert not (source / ".git").exists()
    return make_builder(cloud, source)


@pytest.fixture(scope="module")
def first_build(builder):
    """The build of an empty project: there is no service yet."""
    return builder.submit()


@pytest.fixture(scope="module")
def service(cloud, first_build):
    """What `terraform apply` makes of the first image: a service with one revision."""
    image = re.search(r'docker_image = "(\S+)"', first_build.log)[1]
    environment = {
        "ENVIRONMENT": "production",
        "API_KEY": cloud.secrets["mlops-api-key"].replace("\n", ",").strip(","),
        "CORS_ORIGINS": "https://example.com",
        "RATE_LIMIT_PREDICT": "1000000",
        "RATE_LIMIT_HEALTH": "1000000",
    }
    front, candidate = cloud.front_end(), cloud.front_end("candidate")
    url, tag_url = (f"http://127.0.0.1:{server.server_port}" for server in (front, candidate))
    made = {"environment": environment, "tag_url": tag_url, "revisions": {}, "shares": {}, "tags": {}, "history": []}
    cloud.change(services={"iris-api": made})
    words = ["run", "services", "update", "iris-api", f"--image={image}", "--no-traffic"]
    cloud.gcloud(*words)
    cloud.gcloud("run", "services", "update-traffic", "iris-api", "--to-revisions=iris-api-00001=100")
    yield url
    for server in (front, candidate):
        server.shutdown()
        server.server_close()


class Users:
    """Predictions through the service's address, all the time."""

    def __init__(self, url, key):
        self._url, self._key, self._over, self.statuses = url, key, threading.Event(), []
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *failure):
        self._over.set()
        self._thread.join()

    def _ask(self):
        row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
        headers = {"Content-Type": "application/json", "X-API-Key": self._key}
        while not self._over.is_set():
            request = urllib.request.Request(f"{self._url}/predict", json.dumps(row).encode(), headers)
            try:
                with urllib.request.urlopen(request, timeout=30) as response:
                    self.statuses.append(response.status)
            except urllib.error.HTTPError as error:
                with error:
                    self.statuses.append(error.code)
            time.sleep(0.1)


@pytest.fixture(scope="module")
def second_build(cloud, builder, first_build, service):
    """The same sources after a training of the user's own, never pushed, with users who predict meanwhile."""
    laptop = shutil.copytree(builder.source, cloud.folder / "laptop")
    environment = os.environ | {"PATH": f"{builder.root / '.venv/bin'}:{os.environ['PATH']}"}
    for command in ["dvc config --local core.no_scm true", "dvc repro"]:
        subprocess.run(command.split(), cwd=laptop, env=environment, stdout=subprocess.DEVNULL, check=True)
    shutil.copy2(laptop / "dvc.lock", builder.source)
    with Users(service, cloud.secrets["mlops-api-key"].split()[0]) as users:
        outcome = builder.submit()
    outcome.users = users.statuses
    return outcome


def test_first_build_trains_pushes_and_ends_with_its_image(cloud, first_build):
    assert first_build.failed == [], first_build.log
    assert "Running stage 'train'" in first_build.said["train"]
    assert "there is no service iris-api" in first_build.said["deploy"]
    image = re.search(r'docker_image = "(\S+)"', first_build.said["deploy"])[1]
    assert image in cloud.state["sboms"]
    assert cloud.pointer is None


def test_deploying_without_a_champion_says_what_to_do_first(cloud, builder, first_build):
    assert cloud.pointer is None
    outcome = builder.submit(_ACTION="deploy")
    assert outcome.failed == ["fetch-champion"], outcome.log
    assert "no champion yet; submit ACTION=all first" in outcome.log


def test_second_build_with_nothing_changed_trains_nothing(second_build):
    assert second_build.failed == [], second_build.log
    assert "Running stage" not in second_build.said["train"].split("'evaluate'")[0]
    assert "Running stage 'train'" not in second_build.said["train"]


def test_good_build_has_all_traffic_and_moves_the_pointer(cloud, second_build):
    service = cloud.state["services"]["iris-api"]
    assert service["history"][1:] == [
        {"iris-api-00001": 90, "iris-api-00002": 10},
        {"iris-api-00001": 50, "iris-api-00002": 50},
        {"iris-api-00002": 100},
    ]
    assert service["shares"] == {"iris-api-00002": 100}
    version = json.loads(cloud.pointer)["version"]
    assert f"model {version}: " in second_build.said["smoke-test"]
    assert "@sha256:" in service["revisions"]["iris-api-00002"]["image"]
    assert cloud.read(f"{cloud.deployment}/lock.json") is None
    assert "prepare:" in cloud.read(f"{cloud.bucket}/models/{version}/records/dvc.lock")
    assert len(second_build.users) > 10
    assert set(second_build.users) == {200}


def submit_and_fail(cloud, builder, step, **given):
    before = cloud.served
    outcome = builder.submit(**given)
    assert outcome.failed == [step], outcome.log
    assert cloud.served == before
    return outcome.said[step]


def test_critical_finding_changes_nothing(cloud, builder, second_build):
    issue = {"affectedPackage": "openssl"}
    vulnerability = {"effectiveSeverity": "CRITICAL", "packageIssue": [issue]}
    cloud.change(findings=[{"noteName": "projects/goog-vulnz/notes/CVE-2026-9", "vulnerability": vulnerability}])
    try:
        said = submit_and_fail(cloud, builder, "scan", _ACTION="deploy")
    finally:
        cloud.change(findings=[])
    assert "CRITICAL CVE-2026-9 in openssl" in said


def test_failed_smoke_test_changes_nothing(cloud, builder, second_build):
    said = submit_and_fail(cloud, builder, "smoke-test", _ACTION="deploy", _MAX_LATENCY_MS="0.001")
    assert "more than 0.001" in said


def test_candidate_that_dies_during_the_shift_gives_the_traffic_back(cloud, builder, service, second_build):
    cloud.change(dies_at=50)
    given = {"_SERVICE_URL": service, "_CANDIDATE_TOKEN": "token"}
    try:
        said = submit_and_fail(cloud, builder, "shift-traffic", _ACTION="deploy", **given)
    finally:
        cloud.change(dies_at=None)
    assert "status 503" in said
    assert [max(shares.values()) for shares in cloud.state["services"]["iris-api"]["history"][-3:]] == [90, 50, 100]


def test_failed_gate_names_the_number_and_changes_nothing(cloud, builder, second_build):
    lines = (builder.source / "data/raw/iris.csv").read_text().splitlines()
    labels = [line.rpartition(",")[2] for line in lines[1:]]
    rows = [line.rpartition(",")[0] for line in lines[1:]]
    mixed = [f"{row},{labels[number * 67 % len(labels)]}" for number, row in enumerate(rows)]
    content = "\n".join([lines[0], *mixed]) + "\n"
    cloud.gcloud("storage", "cp", "-", f"{cloud.bucket}/data/mixed.csv", "--content-type=text/csv", text=content)
    said = submit_and_fail(cloud, builder, "train", _ACTION="train", _DATA_SOURCE=f"{cloud.bucket}/data/mixed.csv")
    assert re.search(r"did not pass the gate.*accuracy.*0\.\d+", said)


def test_rollback_goes_back_to_the_revision_before(cloud, builder, second_build):
    outcome = builder.submit(_ACTION="rollback")
    assert outcome.failed == [], outcome.log
    assert cloud.state["services"]["iris-api"]["shares"] == {"iris-api-00001": 100}
    assert "images" in outcome.said


def test_no_key_stands_in_any_output(cloud, second_build):
    written = [*cloud.folder.glob("*.log"), *cloud.folder.glob("*/artifacts/delivery/*")]
    texts = [outcome.log for outcome in cloud.outcomes] + [path.read_text() for path in written if path.is_file()]
    assert len(texts) > 5
    for key in cloud.secrets["mlops-api-key"].split():
        assert not [text for text in texts if key in text]
    assert os.environ.get("API_KEY") is None
