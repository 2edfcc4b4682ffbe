"""The deployment's steps against the stand-in gcloud and a real storage server: the way back, always."""

import json
import os
import subprocess
from dataclasses import replace

import pytest

from pipeline.ci import deployment, finish, roll_vms, rollback, shift_traffic
from pipeline.ci.build import PROMOTED, TARGET, Build
from pipeline.ci.deploy import deploy
from pipeline.ci.shell import CommandFailed, run
from pipeline.errors import DeliveryError

pytestmark = pytest.mark.delivery

OLD, NEW = "r/iris-api@sha256:0", "r/iris-api@sha256:1"
POINTER = '{"version":"v0","path":"v0"}'


@pytest.fixture
def cloud(make_cloud, monkeypatch, tmp_path):
    """A service and a VM group that serve OLD, and no container engine."""
    cloud = make_cloud("no-registry")
    revision = {"image": OLD, "environment": {}, "port": None}
    service = {"environment": {"MODEL_URI": "gs://x", "A": "1"}, "tag_url": "http://127.0.0.1:9", "history": []}
    service |= {"revisions": {"iris-api-00001": revision, "iris-api-x": revision}, "tags": {"old": "iris-api-x"}}
    service["shares"] = {"iris-api-00001": 80, "iris-api-x": 20}
    group = {"action": "REPLACE", "rolls": [], "broken": []}
    cloud.change(engine=False, services={"iris-api": service}, groups={"iris-api-server": group})
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", cloud.path_of("google-cloud-cli"))
    monkeypatch.chdir(tmp_path)
    TARGET.parent.mkdir(parents=True)
    run("gcloud", "storage", "cp", "-", f"{cloud.deployment}/vm-image.txt", "--content-type=text/plain", text=OLD)
    words = ("gcloud", "storage", "cp", "-", f"{cloud.bucket}/models/champion.json")
    run(*words, "--content-type=application/json", text=POINTER)
    return cloud


@pytest.fixture
def build(cloud):
    return Build(
        id="b1",
        region="europe-west1",
        service="iris-api",
        runtime_service_account="",
        models_bucket=cloud.bucket.removeprefix("gs://"),
        service_url="",
        candidate_token="",
        vm_group="iris-api-server",
        api_key="",
        max_latency_ms=1000,
        traffic_steps=(10, 50, 100),
        step_requests=0,
        step_seconds=0,
        max_error_rate=0,
        scan_severity="CRITICAL",
    )


def promote(pointer):
    PROMOTED.touch()
    return pointer


def vm_image(cloud):
    return cloud.read(f"{cloud.deployment}/vm-image.txt").strip()


def released(cloud, build, image=NEW, number="b1", pointer='{"version":"v1"}'):
    """A whole deployment, but for what asks the service."""
    build = replace(build, id=number)
    deploy(run, build, image)
    target = json.loads(TARGET.read_text())
    deployment.Service(run, build.service, build.region).set_traffic({target["revision"]: 100})
    roll_vms.roll_vms(run, build)
    deployment.write_pointer(run, build, pointer)
    PROMOTED.touch()
    finish.finish(run, build)
    return target["revision"]


def test_a_candidate_has_no_traffic_and_brings_its_model(cloud, build):
    before = cloud.state["services"]["iris-api"]["shares"]
    deploy(run, build, NEW)
    service = cloud.state["services"]["iris-api"]
    assert service["shares"] == before
    candidate = service["revisions"][service["tags"]["candidate"]]
    assert candidate["image"] == NEW
    assert candidate["environment"] == {"A": "1"}


def test_without_a_service_the_build_ends_with_its_image(cloud, build):
    cloud.change(services={})
    assert f'docker_image = "{NEW}"' in deploy(run, build, NEW)
    assert finish.finish(run, build) == "nothing was deployed"
    assert cloud.read(f"{cloud.deployment}/lock.json") is None


def test_a_failure_puts_everything_back(cloud, build):
    before = cloud.served
    deploy(run, build, NEW)
    deployment.Service(run, build.service, build.region).set_traffic({"iris-api-00003": 100})
    deployment.write_pointer(run, build, '{"version":"v1"}')
    state = cloud.state
    state["groups"]["iris-api-server"]["broken"] = [NEW]
    cloud.change(groups=state["groups"])
    with pytest.raises(CommandFailed, match="stable"):
        roll_vms.roll_vms(run, build)
    assert cloud.served == before
    assert vm_image(cloud) == OLD
    assert [roll.strip() for roll in cloud.state["groups"]["iris-api-server"]["rolls"]] == [NEW, OLD]


def test_a_step_that_is_ended_from_outside_puts_everything_back(cloud, build):
    before = cloud.served
    deploy(run, build, NEW)
    with pytest.raises(KeyboardInterrupt), deployment.undone_on_failure(run, build):
        raise KeyboardInterrupt
    assert cloud.served == before


def test_a_failed_promotion_is_undone_by_finish(cloud, build):
    before = cloud.served
    deploy(run, build, NEW)
    deployment.Service(run, build.service, build.region).set_traffic({"iris-api-00003": 100})
    with pytest.raises(DeliveryError, match="promote failed"):
        finish.finish(run, build)
    assert cloud.served == before


def test_a_second_build_waits_for_one_that_deploys(cloud, build):
    cloud.change(builds={"b1": "WORKING"})
    deploy(run, build, NEW)
    before = cloud.served
    with pytest.raises(DeliveryError, match="build b1 is deploying"):
        deploy(run, replace(build, id="b2"), NEW)
    assert cloud.served == before


def test_a_build_undoes_what_a_killed_one_left(cloud, build):
    before = cloud.served
    cloud.change(builds={"b1": "CANCELLED"})
    deploy(run, build, NEW)
    deployment.Service(run, build.service, build.region).set_traffic({"iris-api-00003": 50, "iris-api-x": 50})
    deploy(run, replace(build, id="b2"), NEW)
    service = cloud.state["services"]["iris-api"]
    assert service["shares"] == before[0]
    assert json.loads(cloud.read(f"{cloud.deployment}/lock.json"))["build"] == "b2"


def test_what_a_build_completed_before_it_was_killed_stays(cloud, build):
    revision = released(cloud, build)
    lock = {"build": "b1", "table": {"shares": {"iris-api-x": 100}, "tags": {}}, "vm_image": OLD, "pointer": POINTER}
    words = ("gcloud", "storage", "cp", "-", f"{cloud.deployment}/lock.json", "--content-type=application/json")
    run(*words, text=json.dumps(lock))
    deploy(run, replace(build, id="b2"), NEW)
    assert cloud.state["services"]["iris-api"]["shares"] == {revision: 100}
    assert cloud.pointer == '{"version":"v1"}'


def test_rollback_goes_back_and_a_second_one_forward_again(cloud, build):
    first = released(cloud, build, OLD, "b1", '{"version":"v1"}')
    second = released(cloud, build, NEW, "b2", '{"version":"v2"}')
    rollback.roll_back(run, replace(build, id="b3"))
    assert cloud.state["services"]["iris-api"]["shares"] == {first: 100}
    assert (cloud.pointer, vm_image(cloud)) == ('{"version":"v1"}', OLD)
    rollback.roll_back(run, replace(build, id="b4"))
    assert cloud.state["services"]["iris-api"]["shares"] == {second: 100}
    assert (cloud.pointer, vm_image(cloud)) == ('{"version":"v2"}', NEW)


def test_rollback_with_nothing_to_go_back_to_changes_nothing(cloud, build):
    before = cloud.served
    with pytest.raises(DeliveryError, match="nothing to go back to"):
        rollback.roll_back(run, build)
    assert cloud.served == before


def test_a_service_of_vms_alone_is_rolled(cloud, build):
    alone = replace(build, service="")
    deploy(run, alone, NEW)
    assert shift_traffic.shift_traffic(run, alone) == "no revision to give traffic to"
    roll_vms.roll_vms(run, alone)
    PROMOTED.touch()
    finish.finish(run, alone)
    assert vm_image(cloud) == NEW
    rollback.roll_back(run, replace(alone, id="b2"))
    assert vm_image(cloud) == OLD


def test_gcloud_itself_reads_every_command_that_was_called(cloud, build, require_program):
    released(cloud, build)
    rollback.roll_back(run, replace(build, id="b2"))
    gcloud = require_program("/usr/bin/gcloud")
    commands = set((cloud.folder / "commands.log").read_text().splitlines())
    assert len(commands) > 15
    for command in commands:
        words = [gcloud, "meta", "lint-gcloud-commands", f"--command-string={command}"]
        result = subprocess.run(words, capture_output=True, text=True, check=False, env={"PATH": os.defpath})
        verdict = json.loads(result.stdout.splitlines()[0])[0]
        assert verdict["success"], f"{command}: {verdict['error_message']}"
