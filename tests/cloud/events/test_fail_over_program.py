"""`python -m functions.fail_over`, as the VM runs it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.cloud

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = [sys.executable, "-m", "functions.fail_over"]
STATE = "failover/state.json"
ROUND_SECONDS = 60


@pytest.fixture
def run(google):
    """Run the program to its end."""

    def run(*arguments, command=PROGRAM, **variables):
        environment = google.environment(**google.failover_settings | variables)
        return subprocess.run(
            [*command, *arguments],
            cwd=ROOT,
            env={name: value for name, value in environment.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=ROUND_SECONDS,
            check=False,
        )

    return run


@pytest.fixture
def start_loop(google, start_program, tmp_path):
    """Start `--loop`; gives the process and how to read its log."""

    def start_loop():
        output = tmp_path / "loop.log"
        environment = google.environment(**google.failover_settings)
        process = start_program([*PROGRAM, "--loop"], output, cwd=ROOT, env=environment)
        return process, output.read_text

    return start_loop


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_two_programs_at_once_turn_the_traffic_once(google, start_program, tmp_path):
    state = {"active": "cloud_run", "since": "2026-01-01T00:00:00Z", "reason": "", "bad_rounds": 1}
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    google.object(STATE).upload_from_string(json.dumps(state | {"checked_at": now}))
    google.balancer.status["run"] = 503
    environment = google.environment(**google.failover_settings)
    outputs = [tmp_path / name for name in ("one.log", "two.log")]
    both = [start_program([*PROGRAM, "--once"], output, cwd=ROOT, env=environment) for output in outputs]
    assert [process.wait(ROUND_SECONDS) for process in both] == [0, 0]
    logged = [line for output in outputs for line in lines(output.read_text())]
    assert google.compute.switches == ["projects/example/global/urlMaps/fallback"]
    assert [line["message"] for line in logged if line["severity"] == "ALERT"] == ["traffic turned"]
    assert "no switch: another controller was quicker" in [line["message"] for line in logged]
    assert json.loads(google.object(STATE).download_as_bytes())["active"] == "vm"


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_loop_ends_cleanly_in_the_middle_of_a_round(google, start_loop, by):
    process, log = start_loop()
    wait_until(lambda: len(google.balancer.requests) >= 2)
    process.send_signal(by)
    assert process.wait(10) == 0
    assert "Traceback" not in log()
    assert not google.object(STATE).exists(), "a round that was broken off remembers nothing"


def test_loop_goes_on_after_a_failed_round(google, start_loop):
    google.compute.refusal = (503, "try again later")
    process, log = start_loop()
    wait_until(lambda: "the round failed" in log())
    (failure,) = lines(log())
    assert failure["severity"] == "ERROR"
    assert "targetHttpsProxies/front: 503 " in failure["reason"]
    assert "try again later" in failure["reason"]
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_once_fails_with_the_reason(google, run):
    google.compute.url_map = "projects/example/global/urlMaps/other"
    done = run("--once")
    assert done.returncode == 1
    assert "neither of" in lines(done.stdout)[-1]["reason"]


def test_process_without_an_identity_says_so(run):
    done = run("--once", NO_GCE_CHECK="true", GCE_METADATA_HOST=None, GCE_METADATA_IP=None)
    assert done.returncode == 1
    assert lines(done.stdout)[-1]["reason"].startswith("no credentials")


def test_missing_settings_are_all_named(run):
    done = run("--once", FAILOVER_URL="", FAILOVER_PROXY="", FAILOVER_FAILBACK="never")
    assert done.returncode == 2
    for fault in ("FAILOVER_URL: is not set", "FAILOVER_PROXY: is not set", "FAILOVER_FAILBACK: 'never' is none of"):
        assert fault in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--once", "--loop"], ["--twice"]], ids=str)
def test_wrong_usage_is_explained(run, arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert "usage: python -m functions.fail_over" in done.stderr


def test_program_needs_nothing_but_what_the_serving_image_has(google, run):
    """Pinned, so that the round is over at once; what the image lacks can't be imported."""
    code = """
import importlib, sys
for name in ("cloudevents", "functions_framework", "google.cloud.compute_v1", "google.cloud.devtools"):
    sys.modules[name] = None
sys.exit(importlib.import_module("functions.fail_over.__main__").main(["--once"]))
"""
    google.compute.url_map = "projects/example/global/urlMaps/fallback"
    done = run(command=[sys.executable, "-c", code], FAILOVER_ACTIVE_BACKEND="vm")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(google.object(STATE).download_as_bytes())["active"] == "vm"
    assert google.balancer.requests == [], "a pinned controller probes nothing"


def test_probe_token_is_in_no_output(google, run):
    google.compute.url_map = "projects/example/global/urlMaps/other"
    for variables in ({}, {"FAILOVER_PROBE_TOKEN": "a secret with spaces"}):
        done = run("--once", **variables)
        assert "a-probe-token" not in done.stdout + done.stderr
        assert "a secret" not in done.stdout + done.stderr
