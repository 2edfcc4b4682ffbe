"""Probes through a load balancer that routes them by their header."""

import pytest

from functions.api.health import READY
from functions.fail_over.decision import Backend
from functions.fail_over.probes import PAUSE_SECONDS, is_answered, probe_backends

pytestmark = pytest.mark.cloud


@pytest.fixture
def url(google):
    return google.failover_settings["FAILOVER_URL"]


@pytest.mark.parametrize(
    ("status", "answered"),
    [
        *((status, True) for status in (200, 302, 400, 429)),
        *((status, False) for status in (401, 403, 404, 500, 502, 503, "closes", "hangs")),
    ],
)
def test_probe_is_answered_by_anything_but_a_failing_missing_or_locked_backend(google, url, status, answered):
    google.balancer.status["vm"] = status
    assert is_answered(url + READY, "vm-a-probe-token") is answered


def test_probe_of_an_address_where_nobody_listens_is_not_answered(free_port):
    assert not is_answered(f"http://127.0.0.1:{free_port}{READY}", "run-a-probe-token")


def test_probe_of_a_name_that_does_not_exist_is_not_answered():
    assert not is_answered(f"http://host.invalid{READY}", "run-a-probe-token")


def test_each_backend_is_probed_three_times_with_pauses(google, url):
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        google.balancer.status["run"] = 503

    found = probe_backends(url, "a-probe-token", pause)
    assert found == {Backend.CLOUD_RUN: (True, False, False), Backend.VM: (True, True, True)}
    assert pauses == [PAUSE_SECONDS] * 2
    asked = sorted(google.balancer.requests)
    assert asked == [(READY, "run-a-probe-token", "run")] * 3 + [(READY, "vm-a-probe-token", "vm")] * 3
