"""The deployment's steps against the stand-in gcloud and a real storage server: the way back, always."""

import contextlib
import io
import json
import re
import runpy
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from functions.app import create_app
from functions.bundle.storage import Location
from functions.champion import Champion
from functions.model import Model
from functions.settings import Settings
from pipeline.ci import (
    cloud_run,
    deployment,
    finish,
    lock,
    record,
    roll_vms,
    rollback,
    sbom,
    scan,
    shell,
    shift_secondary,
    shift_traffic,
    smoke_test,
)
from pipeline.ci.build import COMPARED, IMAGE, PROMOTED, TARGET, Build
from pipeline.ci.cloud_run import Requests, Service, Table
from pipeline.ci.deploy import deploy
from pipeline.ci.shell import CommandFailed
from pipeline.errors import DeliveryError

KEY = "key-of-the-build-of-more-than-32-characters"
OLD, NEW = "r/iris-api@sha256:0", "r/iris-api@sha256:1"
POINTER = '{"version":"v0","path":"v0"}'


@pytest.fixture
def run(monkeypatch):
    """Call the stand-in gcloud in this process: the same program, without the time that a start takes."""

    def call(*words, text=None):
        printed = io.StringIO()
        monkeypatch.setattr(sys, "argv", list(words))
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        try:
            with contextlib.redirect_stdout(printed):
                runpy.run_path(str(Path(__file__).with_name("gcloud.py")), run_name="__main__")
        except SystemExit as error:
            raise CommandFailed(str(error)) from error
        return printed.getvalue()

    return call


@pytest.fixture
def cloud(make_cloud, monkeypatch, tmp_path, run):
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
    monkeypatch.setattr(cloud_run, "LOOK_SECONDS", 0)
    monkeypatch.setattr(shift_traffic, "LOG_SECONDS", 0)
    monkeypatch.chdir(tmp_path)
    TARGET.parent.mkdir(parents=True)
    COMPARED.write_text("v0", encoding="utf-8")
    run("gcloud", "storage", "cp", "-", f"{cloud.deployment}/vm-image.txt", "--content-type=text/plain", text=OLD)
    words = ("gcloud", "storage", "cp", "-", f"{cloud.bucket}/models/champion.json")
    run(*words, "--content-type=application/json", text=POINTER)
    return cloud


@pytest.fixture
def build(cloud):
    return Build(
        id="b1",
        location="europe-west1",
        region="europe-west1",
        secondary_region="",
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


def vm_image(cloud):
    return cloud.read(f"{cloud.deployment}/vm-image.txt").strip()


def released(cloud, build, run, image=NEW, number="b1", pointer='{"version":"v1"}'):
    """A whole deployment, but for what asks the service."""
    build = replace(build, id=number)
    COMPARED.write_text(json.loads(cloud.pointer)["version"], encoding="utf-8")
    deploy(run, build, image)
    target = json.loads(TARGET.read_text())
    Service(run, build.service, build.region).set_traffic({target["revision"]: 100})
    shift_secondary.shift_secondary(run, build)
    roll_vms.roll_vms(run, build)
    deployment.write_pointer(run, build, pointer)
    PROMOTED.touch()
    finish.finish(run, build)
    return target["revision"]


def test_a_candidate_has_no_traffic_and_brings_its_model(cloud, build, run):
    before = cloud.state["services"]["iris-api"]["shares"]
    deploy(run, build, NEW)
    service = cloud.state["services"]["iris-api"]
    assert service["shares"] == before
    candidate = service["revisions"][service["tags"]["candidate"]]
    assert candidate["image"] == NEW
    assert candidate["environment"] == {"A": "1"}
    assert not service["named_by_template"]


def test_without_a_service_the_build_ends_with_its_image(cloud, build, run):
    cloud.change(services={})
    assert f'docker_image = "{NEW}"' in deploy(run, build, NEW)
    assert finish.finish(run, build) == "nothing was deployed"
    assert cloud.read(f"{cloud.deployment}/lock.json") is None


def test_what_the_builder_may_not_know_is_not_taken_for_no_service(cloud, build, run):
    cloud.change(services={}, permissions=[])
    with pytest.raises(CommandFailed, match="PERMISSION_DENIED"):
        deploy(run, build, NEW)


def refusing(run, *refused):
    """As `run`, but gcloud fails when its words contain all of these."""

    def call(*words, text=None):
        if all(part in " ".join(words) for part in refused):
            raise CommandFailed("HTTPError 503: try again")
        return run(*words, text=text)

    return call


def locked(cloud):
    return cloud.read(f"{cloud.deployment}/lock.json")


def test_a_candidate_that_does_not_start_leaves_nothing_and_blocks_nobody(cloud, build, run):
    before = cloud.served
    cloud.change(broken_images=[NEW])
    with pytest.raises(CommandFailed, match="failed to start"):
        deploy(run, build, NEW)
    assert cloud.served == before
    deploy(run, replace(build, id="b2"), "r/iris-api@sha256:2")


def test_traffic_that_is_not_what_it_should_be_is_an_error(cloud, build, run):
    service = Service(refusing(run, "update-traffic"), build.service, build.region)
    with pytest.raises(CommandFailed, match="503"):
        service.set_traffic({"iris-api-x": 100})
    service.set_traffic({"iris-api-00001": 80, "iris-api-x": 20})


def test_a_table_without_traffic_is_left_as_it_is(cloud, build, run):
    Service(run, build.service, build.region).restore(Table({}, {}))
    assert cloud.state["services"]["iris-api"]["history"] == []


def test_a_failure_puts_everything_back(cloud, build, run):
    before = cloud.served
    deploy(run, build, NEW)
    Service(run, build.service, build.region).set_traffic({"iris-api-00003": 100})
    deployment.write_pointer(run, build, '{"version":"v1"}')
    state = cloud.state
    state["groups"]["iris-api-server"]["broken"] = [NEW]
    cloud.change(groups=state["groups"])
    with pytest.raises(CommandFailed, match="stable"):
        roll_vms.roll_vms(run, build)
    assert cloud.served == before
    assert vm_image(cloud) == OLD
    assert [roll.strip() for roll in cloud.state["groups"]["iris-api-server"]["rolls"]] == [NEW, OLD]


def test_a_step_that_is_ended_from_outside_puts_everything_back(cloud, build, run):
    before = cloud.served
    deploy(run, build, NEW)
    with pytest.raises(KeyboardInterrupt), deployment.undone_on_failure(run, build):
        raise KeyboardInterrupt
    assert cloud.served == before


def test_a_failed_promotion_is_undone_by_finish(cloud, build, run):
    before = cloud.served
    deploy(run, build, NEW)
    Service(run, build.service, build.region).set_traffic({"iris-api-00003": 100})
    with pytest.raises(DeliveryError, match="promote failed"):
        finish.finish(run, build)
    assert cloud.served == before


def test_a_deployment_whose_state_can_not_be_written_is_undone(cloud, build, run):
    before = cloud.served
    deploy(run, build, NEW)
    deployment.write_pointer(run, build, '{"version":"v1"}')
    PROMOTED.touch()
    with pytest.raises(CommandFailed, match="503"):
        finish.finish(refusing(run, "storage cp", "state.json"), build)
    assert cloud.served == before


def test_a_deployment_that_is_in_the_state_stands(cloud, build, run):
    with pytest.raises(CommandFailed, match="503"):
        released(cloud, build, refusing(run, "storage rm", "lock.json"))
    assert cloud.pointer == '{"version":"v1"}'
    assert locked(cloud) is not None
    cloud.change(builds={"europe-west1/b1": "FAILURE"})
    COMPARED.write_text("v1", encoding="utf-8")
    assert deploy(run, replace(build, id="b2"), NEW)
    assert cloud.state["services"]["iris-api"]["shares"] == {"iris-api-00003": 100}
    assert cloud.pointer == '{"version":"v1"}'


def test_what_fails_while_undoing_hides_neither_the_cause_nor_the_rest(cloud, build, run, capsys):
    deploy(run, build, NEW)
    Service(run, build.service, build.region).set_traffic({"iris-api-00003": 100})
    deployment.write_pointer(run, build, '{"version":"v1"}')
    broken = refusing(run, "update-traffic")
    said = r"traffic in europe-west1: HTTPError 503(.|\n)*gcloud storage rm gs://"
    with pytest.raises(DeliveryError, match=said), deployment.undone_on_failure(broken, build):
        raise DeliveryError("the candidate is slow")
    assert "failed: the candidate is slow" in capsys.readouterr().out
    assert cloud.pointer == POINTER
    assert vm_image(cloud) == OLD
    assert json.loads(locked(cloud))["build"] == "b1"
    deployment.abandon(run, build)
    assert cloud.state["services"]["iris-api"]["shares"] == {"iris-api-00001": 80, "iris-api-x": 20}
    assert locked(cloud) is None


def test_vms_are_rolled_back_again_when_that_was_cut_off(cloud, build, run):
    cloud.change(builds={"europe-west1/b1": "TIMEOUT"})
    deploy(run, build, NEW)
    with pytest.raises(DeliveryError, match="VMs: HTTPError 503"):
        roll_vms.roll_vms(refusing(run, "rolling-action"), build)
    assert vm_image(cloud) == OLD
    deploy(run, replace(build, id="b2"), NEW)
    assert [roll.strip() for roll in cloud.state["groups"]["iris-api-server"]["rolls"]] == [OLD]


def test_vms_that_were_not_rolled_are_not_rolled_back(cloud, build, run):
    deploy(run, build, NEW)
    deployment.abandon(run, build)
    assert cloud.state["groups"]["iris-api-server"]["rolls"] == []


def test_a_second_build_waits_for_one_that_deploys(cloud, build, run):
    cloud.change(builds={"europe-west1/b1": "WORKING"})
    deploy(run, build, NEW)
    before = cloud.served
    with pytest.raises(DeliveryError, match="build b1 is deploying"):
        deploy(run, replace(build, id="b2"), NEW)
    assert cloud.served == before


def test_a_build_is_asked_for_where_it_ran(cloud, build, run):
    cloud.change(builds={"global/b1": "WORKING"})
    deploy(run, replace(build, location="global"), NEW)
    with pytest.raises(DeliveryError, match="build b1 is deploying"):
        deploy(run, replace(build, id="b2"), NEW)


def test_a_build_that_is_not_known_has_ended(cloud, build, run):
    deploy(run, build, NEW)
    deploy(run, replace(build, id="b2"), NEW)
    assert json.loads(locked(cloud))["build"] == "b2"


def test_a_build_that_can_not_be_asked_for_is_not_undone(cloud, build, run):
    deploy(run, build, NEW)
    before = cloud.served
    with pytest.raises(DeliveryError, match=r"can't be asked(.|\n)*gcloud storage rm"):
        deploy(refusing(run, "builds"), replace(build, id="b2"), NEW)
    assert cloud.served == before


def test_a_lock_that_is_none_says_how_to_clear_it(cloud, build, run):
    words = ("gcloud", "storage", "cp", "-", f"{cloud.deployment}/lock.json", "--content-type=application/json")
    run(*words, text="{}")
    with pytest.raises(DeliveryError, match="gcloud storage rm"):
        deploy(run, build, NEW)


def test_a_build_undoes_what_a_killed_one_left(cloud, build, run):
    before = cloud.served
    cloud.change(builds={"europe-west1/b1": "CANCELLED"})
    deploy(run, build, NEW)
    Service(run, build.service, build.region).set_traffic({"iris-api-00003": 50, "iris-api-x": 50})
    deploy(run, replace(build, id="b2"), NEW)
    service = cloud.state["services"]["iris-api"]
    assert service["shares"] == before[0]
    assert json.loads(locked(cloud))["build"] == "b2"


def test_of_two_builds_that_find_a_dead_lock_one_gets_it(cloud, build, run):
    """The slower one reads the lock, the other takes it over, and only then the slower writes."""
    cloud.change(builds={"europe-west1/b1": "CANCELLED", "europe-west1/b2": "WORKING"})
    deploy(run, build, NEW)
    slower = replace(build, id="b3")

    def interrupted(*words, text=None):
        said = run(*words, text=text)
        if words[:3] == ("gcloud", "builds", "describe"):
            deployment.begin(run, replace(build, id="b2"))
        return said

    with pytest.raises(DeliveryError, match="another build began"), deployment.undone_on_failure(run, slower):
        deployment.begin(interrupted, slower)
    assert json.loads(locked(cloud))["build"] == "b2"


def test_nothing_is_noted_before_the_lock_is_taken(cloud, build, run):
    seen = []

    def watched(*words, text=None):
        seen.append((words[1:4], locked(cloud)))
        return run(*words, text=text)

    deployment.begin(watched, build)
    described = [text for words, text in seen if words == ("run", "services", "describe")]
    assert described
    assert all(described)


def test_a_build_that_dies_while_it_recovers_leaves_what_to_put_back(cloud, build, run):
    before = cloud.served
    cloud.change(builds={"europe-west1/b1": "CANCELLED", "europe-west1/b2": "TIMEOUT"})
    deploy(run, build, NEW)
    Service(run, build.service, build.region).set_traffic({"iris-api-00003": 100})
    with pytest.raises(DeliveryError, match="not all could be put back"):
        deployment.begin(refusing(run, "update-traffic"), replace(build, id="b2"))
    deployment.begin(run, replace(build, id="b3"))
    assert cloud.served[:3] == before[:3]


def test_what_a_build_completed_before_it_was_killed_stays(cloud, build, run):
    revision = released(cloud, build, run)
    tables = {"europe-west1": Table({"iris-api-x": 100}, {})}
    before = lock.Serving(tables=tables, vm_image=OLD, pointer=POINTER)
    lock.write(run, build, lock.Lock(build="b1", location="europe-west1", before=before, vms_rolled=True))
    COMPARED.write_text("v1", encoding="utf-8")
    deploy(run, replace(build, id="b2"), NEW)
    assert cloud.state["services"]["iris-api"]["shares"] == {revision: 100}
    assert cloud.pointer == '{"version":"v1"}'


@pytest.mark.parametrize(("compared", "said"), [("v8", "is v0 by now, and was v8"), ("", "is v0 by now, and was none")])
def test_a_champion_that_changed_meanwhile_stops_the_deployment(cloud, build, run, compared, said):
    before = cloud.served
    COMPARED.write_text(compared, encoding="utf-8")
    with pytest.raises(DeliveryError, match=said):
        deploy(run, build, NEW)
    assert cloud.served == before


@pytest.fixture
def serve(cloud, bundle_folder, monkeypatch):
    """The real app on the candidate's address, and its bundle where the steps look for it."""
    from werkzeug.serving import make_server

    settings = Settings(api_keys=(KEY,), cors_origins=(), rate_limit_predict=10**6)
    app = create_app(settings, Champion(Model.from_folder(bundle_folder, max_rows=1000)))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state = cloud.state
    state["services"]["iris-api"]["tag_url"] = f"http://127.0.0.1:{server.port}"
    cloud.change(services=state["services"])
    Path("models").symlink_to(bundle_folder)
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_good_candidate_is_tested_and_given_all_traffic(cloud, build, run, serve):
    build = replace(build, api_key=KEY, step_requests=2)
    deploy(run, build, NEW)
    assert "golden examples agree" in smoke_test.smoke_test(run, build)
    assert "has all traffic" in shift_traffic.shift_traffic(run, build)
    history = cloud.state["services"]["iris-api"]["history"]
    assert [shares["iris-api-00003"] for shares in history] == [10, 50, 100]
    assert history[0] == {"iris-api-00001": 72, "iris-api-x": 18, "iris-api-00003": 10}


def test_a_candidate_that_refuses_the_key_is_undone(cloud, build, run, serve):
    before = cloud.served
    deploy(run, build, NEW)
    with pytest.raises(DeliveryError, match="status 403"):
        smoke_test.smoke_test(run, replace(build, api_key="k" * 40))
    assert cloud.served == before


def test_a_slow_candidate_is_undone(cloud, build, run, serve):
    before = cloud.served
    deploy(run, build, NEW)
    with pytest.raises(DeliveryError, match=r"more than 0\.001"):
        smoke_test.smoke_test(run, replace(build, api_key=KEY, max_latency_ms=0.001))
    assert cloud.served == before


def test_server_errors_of_users_give_the_traffic_back(cloud, build, run, serve):
    before = cloud.served
    deploy(run, build, NEW)
    lines = ["9999-01-01T00:00:00 iris-api-00003 500", "9999-01-01T00:00:00 iris-api-00001 200"]
    (cloud.folder / "requests.log").write_text("\n".join(lines))
    with pytest.raises(DeliveryError, match="1 of 1 requests"):
        shift_traffic.shift_traffic(run, replace(build, api_key=KEY))
    assert cloud.served == before


def test_errors_are_counted_however_many_requests_came_after_them(cloud, build, run):
    lines = ["9999-01-01T00:00:00 iris-api-00001 500"] * 30 + ["9999-01-01T00:00:01 iris-api-00001 200"] * 20_000
    (cloud.folder / "requests.log").write_text("\n".join(lines))
    found = Service(run, build.service, build.region).requests("iris-api-00001", "2026-11-23T00:00:00Z")
    assert found == Requests(total=20_100, errors=30)


def test_image_is_scanned_and_its_parts_listed(cloud, build, run):
    day = date(2026, 11, 23)
    assert scan.scan(run, build, NEW, {}, day).startswith("0 findings")
    vulnerability = {"effectiveSeverity": "CRITICAL", "packageIssue": [{"affectedPackage": "openssl"}]}
    cloud.change(findings=[{"noteName": "projects/goog-vulnz/notes/CVE-2026-9", "vulnerability": vulnerability}])
    with pytest.raises(DeliveryError, match="CRITICAL CVE-2026-9 in openssl"):
        scan.scan(run, build, NEW, {}, day)
    assert scan.scan(run, build, NEW, {"CVE-2026-9": day}, day).startswith("1 findings")
    assert NEW in sbom.export(run, NEW)
    assert cloud.state["sboms"] == [NEW]


def test_what_a_version_was_made_with_is_recorded_once(cloud, trained_project, tmp_path):
    bucket, project = Location(f"{cloud.bucket}/models"), tmp_path / "project"
    for name in ("models", "artifacts"):
        shutil.copytree(trained_project / name, project / name)
    (project / "dvc.lock").write_text("first", encoding="utf-8")
    assert record.record(bucket, project).endswith("records: dvc.lock, metrics.json, gate.json")
    (project / "dvc.lock").write_text("second", encoding="utf-8")
    assert "kept as the build wrote them" in record.record(bucket, project)
    version = json.loads((project / "models" / "metadata.json").read_bytes())["version"]
    assert cloud.read(f"{cloud.bucket}/models/{version}/records/dvc.lock") == "first"


def test_a_failing_program_is_named_with_what_it_said():
    with pytest.raises(CommandFailed, match=r"sh -c.*no such thing"):
        shell.run("sh", "-c", "echo no such thing >&2; exit 3")
    assert shell.run("cat", text="given") == "given"


def test_rollback_goes_back_and_a_second_one_forward_again(cloud, build, run):
    first = released(cloud, build, run, OLD, "b1", '{"version":"v1"}')
    second = released(cloud, build, run, NEW, "b2", '{"version":"v2"}')
    rollback.roll_back(run, replace(build, id="b3"))
    assert cloud.state["services"]["iris-api"]["shares"] == {first: 100}
    assert (cloud.pointer, vm_image(cloud)) == ('{"version":"v1"}', OLD)
    rollback.roll_back(run, replace(build, id="b4"))
    assert cloud.state["services"]["iris-api"]["shares"] == {second: 100}
    assert (cloud.pointer, vm_image(cloud)) == ('{"version":"v2"}', NEW)


@pytest.fixture
def secondary(cloud, build):
    """The same service in a second region, and a build that knows of it."""
    service = {"environment": {}, "tag_url": "", "history": [], "tags": {}, "shares": {"iris-api-00001": 100}}
    service |= {"revisions": {"iris-api-00001": {"image": OLD, "environment": {}, "port": None}}}
    cloud.change(services=cloud.state["services"] | {"iris-api in europe-west4": service})
    return replace(build, secondary_region="europe-west4")


def second_service(cloud):
    return cloud.state["services"]["iris-api in europe-west4"]


def test_second_region_follows_step_by_step(cloud, secondary, run):
    released(cloud, secondary, run)
    service = second_service(cloud)
    assert [shares["iris-api-00002"] for shares in service["history"]] == [10, 50, 100]
    assert service["revisions"]["iris-api-00002"]["image"] == NEW


def test_few_requests_in_the_second_region_are_told(cloud, secondary, run, capsys):
    (cloud.folder / "requests.log").write_text("9999-01-01T00:00:00 iris-api-00002 200")
    released(cloud, replace(secondary, step_requests=2), run)
    assert capsys.readouterr().out.count("users sent iris-api-00002 1 requests in 0 s, fewer than 2") == 3


def test_server_errors_in_the_second_region_undo_both(cloud, secondary, run):
    before, there = cloud.served, second_service(cloud)["shares"]
    deploy(run, secondary, NEW)
    Service(run, secondary.service, secondary.region).set_traffic({"iris-api-00003": 100})
    (cloud.folder / "requests.log").write_text("9999-01-01T00:00:00 iris-api-00002 500")
    with pytest.raises(DeliveryError, match="1 of 1 requests"):
        shift_secondary.shift_secondary(run, secondary)
    assert cloud.served == before
    assert second_service(cloud)["shares"] == there


def test_rollback_goes_back_in_both_regions(cloud, secondary, run):
    released(cloud, secondary, run, OLD, "b1")
    released(cloud, secondary, run, NEW, "b2")
    rollback.roll_back(run, replace(secondary, id="b3"))
    assert second_service(cloud)["shares"] == {"iris-api-00002": 100}


def test_rollback_deploys_to_a_region_that_is_younger(cloud, build, secondary, run):
    released(cloud, build, run, OLD, "b1")
    released(cloud, build, run, NEW, "b2")
    rollback.roll_back(run, replace(secondary, id="b3"))
    service = second_service(cloud)
    assert service["shares"] == {"iris-api-00002": 100}
    assert service["revisions"]["iris-api-00002"]["image"] == OLD


def test_second_region_without_a_service_names_it(cloud, build, run):
    before = cloud.served
    with pytest.raises(DeliveryError, match="no service iris-api in europe-west4"):
        deploy(run, replace(build, secondary_region="europe-west4"), NEW)
    assert cloud.served == before


@pytest.mark.parametrize("earlier", [True, False])
def test_rollback_after_a_killed_build_goes_back_to_what_served_and_no_further(cloud, build, run, earlier):
    if earlier:
        released(cloud, build, run, OLD, "b1")
    before = cloud.served
    cloud.change(builds={"europe-west1/b2": "CANCELLED"})
    COMPARED.write_text(json.loads(cloud.pointer)["version"], encoding="utf-8")
    killed = replace(build, id="b2")
    deploy(run, killed, NEW)
    Service(run, build.service, build.region).set_traffic({"iris-api-00001": 100})
    deployment.roll(run, killed, NEW)
    assert "what build b2 had changed is put back" in rollback.roll_back(run, replace(build, id="b3"))
    assert cloud.served == before
    assert vm_image(cloud) == OLD
    assert IMAGE.read_text(encoding="utf-8") == OLD


def test_rollback_with_nothing_to_go_back_to_changes_nothing(cloud, build, run):
    before = cloud.served
    with pytest.raises(DeliveryError, match="nothing to go back to"):
        rollback.roll_back(run, build)
    assert cloud.served == before


def test_a_service_of_vms_alone_is_rolled(cloud, build, run):
    alone = replace(build, service="")
    deploy(run, alone, NEW)
    assert shift_traffic.shift_traffic(run, alone) == "no revision to give traffic to"
    roll_vms.roll_vms(run, alone)
    PROMOTED.touch()
    finish.finish(run, alone)
    assert vm_image(cloud) == NEW
    rollback.roll_back(run, replace(alone, id="b2"))
    assert vm_image(cloud) == OLD


@pytest.mark.delivery
def test_gcloud_itself_reads_every_command_that_was_called(cloud, build, run, require_program):
    released(cloud, build, run)
    rollback.roll_back(run, replace(build, id="b2"))
    scan.scan(run, build, NEW, {}, date(2026, 11, 23))
    sbom.export(run, NEW)
    (cloud.folder / "requests.log").write_text("9999-01-01T00:00:00 iris-api-00001 200\n" * 10_000)
    Service(run, build.service, build.region).requests("iris-api-00001", "2026-11-23T00:00:00Z")
    deploy(run, replace(build, id="b3"), NEW)
    deploy(run, replace(build, id="b4"), NEW)
    gcloud = require_program("gcloud")
    # one of each kind: the parser takes its time
    called = (cloud.folder / "commands.log").read_text().splitlines()
    commands = {re.sub(r"=\S+|\S*[/:]\S*", "", command): command for command in called}
    assert len(commands) > 12
    for command in commands.values():
        words = [gcloud, "meta", "lint-gcloud-commands", f"--command-string={command}"]
        result = subprocess.run(words, capture_output=True, text=True, check=False)
        verdict = json.loads(result.stdout.splitlines()[0])[0]
        assert verdict["success"], f"{command}: {verdict['error_message']}"


def test_a_step_that_gets_sigterm_runs_what_undoes_it():
    program = """
import time
from pipeline.ci import shell

def work():
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("undone", flush=True)

shell.step(work)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as step:
        assert step.stdout.readline() == "begun\n"
        step.terminate()
        said, complaint = step.communicate(timeout=30)
    assert (said, step.returncode) == ("undone\n", 1)
    assert "the build was ended" in complaint
