"""Rounds of the controller, with the load balancer's API and its memory in Cloud Storage as they are."""

import io
import json
import logging
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from functions.bundle.storage import Conflict
from functions.fail_over.controller import Controller
from functions.fail_over.decision import COOLDOWN, Backend
from functions.fail_over.load_balancer import LoadBalancer, LoadBalancerError
from functions.fail_over.memory import Memory
from functions.logs import JsonFormatter
from functions.settings import FailoverSettings

pytestmark = pytest.mark.cloud

RUN, VM = Backend.CLOUD_RUN, Backend.VM
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
UP, DOWN = (True,) * 3, (False,) * 3
STATE = "failover/state.json"


@contextmanager
def balancer_of(settings):
    from google.auth.transport.requests import AuthorizedSession
    from google.oauth2.credentials import Credentials

    with AuthorizedSession(Credentials(token="an-access-token")) as session:
        maps = {RUN: settings.primary_url_map, VM: settings.fallback_url_map}
        yield LoadBalancer(session, settings.proxy, maps, settings.vm_backend)


@pytest.fixture
def settings(google):
    return FailoverSettings.from_environ(google.failover_settings)


@pytest.fixture
def balancer(settings):
    with balancer_of(settings) as balancer:
        yield balancer


@pytest.fixture
def clock():
    """A clock that a test moves."""

    class Clock:
        now = NOW

        def __call__(self):
            return self.now

        def advance(self, minutes):
            self.now += timedelta(minutes=minutes)

    return Clock()


@pytest.fixture
def controller(balancer, settings, clock):
    return Controller(balancer, Memory(settings.state_uri), automatic_failback=False, clock=clock)


@pytest.fixture
def alerts():
    """The ALERT lines that were logged so far."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("functions.fail_over")
    logger.addHandler(handler)
    yield lambda: [line for line in map(json.loads, lines.getvalue().splitlines()) if line["severity"] == "ALERT"]
    logger.removeHandler(handler)


def probes(run, vm):
    return lambda: {RUN: run, VM: vm}


def remember(google, **values):
    """Write a state as a controller would have left it an hour ago."""
    state = {"active": "cloud_run", "since": "2026-11-22T11:00:00Z", "reason": "", "checked_at": "2026-11-22T11:59:00Z"}
    google.object(STATE).upload_from_string(json.dumps(state | values))


def remembered(google):
    return json.loads(google.object(STATE).download_as_bytes())


def test_outage_turns_the_traffic_once_and_says_so_once(google, controller, clock, alerts):
    remember(google)
    for _ in range(12):
        clock.advance(1)
        controller.control(probes(DOWN, UP))
    assert google.compute.switches == ["projects/example/global/urlMaps/fallback"]
    (alert,) = alerts()
    assert alert["message"] == "traffic turned"
    assert (alert["from_backend"], alert["to_backend"]) == ("cloud_run", "vm")
    assert alert["reason"] == "cloud_run was down in 2 rounds in a row"
    state = remembered(google)
    assert (state["active"], state["since"]) == ("vm", "2026-11-22T12:02:00Z")


def test_first_deployment_waits_a_cooldown_before_it_turns_anything(google, controller, clock):
    minutes = int(COOLDOWN / timedelta(minutes=1))
    for _ in range(minutes):
        controller.control(probes(DOWN, UP))
        clock.advance(1)
    assert google.compute.switches == []
    controller.control(probes(DOWN, UP))
    assert len(google.compute.switches) == 1


def test_vm_that_its_health_check_calls_unhealthy_gets_no_traffic(google, controller, clock):
    remember(google)
    google.compute.vm_healthy = False
    for _ in range(5):
        clock.advance(1)
        controller.control(probes(DOWN, UP))
    assert google.compute.switches == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"active": "moon"}', b"[]"], ids=repr)
def test_state_that_can_not_be_used_is_written_anew_from_the_truth(google, controller, content):
    google.object(STATE).upload_from_string(content)
    google.compute.url_map = "projects/example/global/urlMaps/fallback"
    controller.control(probes(DOWN, UP))
    state = remembered(google)
    assert (state["active"], state["since"]) == ("vm", "2026-11-22T12:00:00Z")


def test_controller_that_ended_before_it_wrote_the_switch_down_is_put_right(google, controller, clock, alerts):
    remember(google, bad_rounds=2)
    google.compute.url_map = "projects/example/global/urlMaps/fallback"
    controller.control(probes(UP, DOWN))
    assert remembered(google)["active"] == "vm"
    clock.advance(1)
    controller.control(probes(UP, DOWN))
    assert google.compute.switches == [], "it turned the traffic within the cooldown of a switch"
    (alert,) = alerts()
    assert (alert["to_backend"], alert["reason"]) == ("vm", "found so: nobody wrote the switch down")


def test_controller_that_ended_before_it_turned_the_traffic_is_made_good(google, controller):
    remember(google, bad_rounds=2)
    controller.control(probes(DOWN, UP))
    assert len(google.compute.switches) == 1


def test_refused_switch_is_tried_again_in_the_next_round(google, controller, clock, alerts):
    remember(google, bad_rounds=1)
    google.compute.operation_error = "RESOURCE_NOT_READY"
    with pytest.raises(LoadBalancerError, match="RESOURCE_NOT_READY"):
        controller.control(probes(DOWN, UP))
    assert remembered(google)["active"] == "cloud_run"
    assert alerts() == []
    google.compute.operation_error = None
    clock.advance(1)
    controller.control(probes(DOWN, UP))
    assert remembered(google)["active"] == "vm"
    assert len(alerts()) == 1


def test_two_controllers_at_once_make_one_switch(google, settings, clock):
    remember(google, bad_rounds=1)
    both_have_read = threading.Barrier(2)
    outcomes = []

    def probe():
        both_have_read.wait(20)
        return {RUN: DOWN, VM: UP}

    def control():
        with balancer_of(settings) as balancer:
            controller = Controller(balancer, Memory(settings.state_uri), automatic_failback=False, clock=clock)
            try:
                controller.control(probe)
            except Conflict:
                outcomes.append("conflict")
            else:
                outcomes.append("switch")

    threads = [threading.Thread(target=control) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict", "switch"]
    assert len(google.compute.switches) == 1
    assert remembered(google)["active"] == "vm"


def test_switch_that_another_controller_keeps_from_being_written_down_is_found(google, controller, clock, alerts):
    remember(google, bad_rounds=1)
    google.compute.meanwhile = lambda: remember(google, bad_rounds=3)
    controller.control(probes(DOWN, UP))
    assert remembered(google)["active"] == "cloud_run"
    google.compute.meanwhile = lambda: None
    clock.advance(1)
    controller.control(probes(UP, DOWN))
    assert remembered(google)["active"] == "vm"
    assert len(google.compute.switches) == 1
    assert [alert["to_backend"] for alert in alerts()] == ["vm", "vm"]


def test_traffic_that_was_turned_while_the_probes_ran_is_not_turned_again(google, controller, alerts):
    remember(google, bad_rounds=1)

    def probe():
        google.compute.url_map = "projects/example/global/urlMaps/fallback"
        return {RUN: DOWN, VM: UP}

    controller.control(probe)
    assert google.compute.switches == []
    assert alerts() == []


def test_pinned_controller_turns_nothing_and_remembers_what_the_operator_did(google, controller, alerts):
    remember(google, bad_rounds=1)
    google.compute.url_map = "projects/example/global/urlMaps/fallback"
    controller.follow()
    assert remembered(google)["active"] == "vm"
    assert google.compute.switches == []
    held = google.object(STATE)
    held.reload()
    before = held.generation
    controller.follow()
    held.reload()
    assert held.generation == before, "nothing has changed, so nothing is written"
    assert [alert["to_backend"] for alert in alerts()] == ["vm"]


def test_proxy_with_a_foreign_url_map_is_named_with_the_settings_to_correct(google, controller):
    google.compute.url_map = "projects/example/global/urlMaps/other"
    with pytest.raises(LoadBalancerError, match=r"urlMaps/other, neither of .*FAILOVER_PRIMARY_URL_MAP"):
        controller.control(probes(DOWN, UP))


def test_refusal_of_compute_engine_is_passed_on_with_its_reason(google, controller):
    google.compute.refusal = (403, "Required 'compute.targetHttpsProxies.get' permission")
    with pytest.raises(LoadBalancerError, match=r"GET .*targetHttpsProxies/front: 403 .*Required 'compute\."):
        controller.control(probes(DOWN, UP))


def test_compute_engine_out_of_reach_is_an_error_with_the_call(google, controller, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(LoadBalancerError, match="GET projects/example/global/targetHttpsProxies/front: "):
        controller.control(probes(DOWN, UP))


def test_http_proxy_of_a_trial_without_a_domain_is_switched_too(google):
    settings = FailoverSettings.from_environ(
        google.failover_settings | {"FAILOVER_PROXY": "projects/example/global/targetHttpProxies/front"}
    )
    with balancer_of(settings) as balancer:
        assert balancer.active() is RUN
        balancer.turn_to(VM)
        assert balancer.active() is VM


def test_googles_own_library_finds_the_same_as_the_load_balancer_does(google, balancer):
    """The server here speaks the protocol: the client library of Compute Engine reads and turns it too."""
    from google.cloud import compute_v1
    from google.oauth2.credentials import Credentials

    credentials = Credentials(token="an-access-token")
    proxies = compute_v1.TargetHttpsProxiesClient(credentials=credentials)
    backends = compute_v1.BackendServicesClient(credentials=credentials)
    balancer.turn_to(VM)
    assert proxies.get(project="example", target_https_proxy="front").url_map.endswith("/urlMaps/fallback")
    reference = compute_v1.UrlMapReference(
        url_map="https://www.googleapis.com/compute/v1/projects/example/global/urlMaps/primary"
    )
    proxies.set_url_map(project="example", target_https_proxy="front", url_map_reference_resource=reference).result(
        timeout=20
    )
    assert balancer.active() is RUN
    for healthy in (True, False):
        google.compute.vm_healthy = healthy
        group = backends.get(project="example", backend_service="vm").backends[0].group
        health = backends.get_health(
            project="example",
            backend_service="vm",
            resource_group_reference_resource=compute_v1.ResourceGroupReference(group=group),
        )
        assert [status.health_state == "HEALTHY" for status in health.health_status] == [healthy]
        assert balancer.vm_is_healthy() is healthy
