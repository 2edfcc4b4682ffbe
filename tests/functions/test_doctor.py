"""The doctor of the service: each fault is found with its remedy, in bounded time, and no secret is shown."""

import io
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from functions.bundle.files import MODEL_FILE
from functions.doctor import PACKAGES, service_findings
from functions.findings import State, fault, ok, optional, report, table, within

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a-secret-that-is-never-shown-" + "x" * 20


def run(environ, *flags):
    """Run the doctor as a user does, and give its exit code and output."""
    command = [sys.executable, *flags, "-m", "functions.doctor"]
    result = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in result.stderr
    return result.returncode, result.stdout


@pytest.fixture
def examine(bundle_folder, free_port):
    """What is found for a sound environment with some changes, by the check's name; None takes a variable away."""

    def found(**changes):
        environ = {"MODEL_DIR": str(bundle_folder), "PORT": str(free_port)} | changes
        findings = service_findings({name: value for name, value in environ.items() if value is not None})
        assert SECRET not in table("", findings, colours=False)
        return {finding.name: finding for finding in findings}

    return found


@pytest.fixture
def no_credentials(monkeypatch):
    """Google's clients look for credentials, and find none."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/account.json")
    # the storage server's own package leaves its address behind
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)


def faults(findings):
    assert all(finding.remedy for finding in findings.values() if finding.state is State.FAULT)
    return {name for name, finding in findings.items() if finding.state is State.FAULT}


def test_trained_project_has_no_fault(examine):
    found = examine()
    assert faults(found) == set()
    assert found["model"].found.endswith("answers its golden examples")
    assert "no API_KEY is set" in found["warning"].found


def test_production_with_key_and_origins_has_no_fault(examine):
    found = examine(ENVIRONMENT="production", API_KEY=SECRET, CORS_ORIGINS="https://app.example.com", HOST="127.0.0.1")
    assert faults(found) == set()
    assert found["keys"].found == "1 in API_KEY"
    assert "API_KEY" in found["settings"].found


def test_program_tells_and_exits_with_the_outcome(bundle_folder, free_port, tmp_path):
    environ = {"PATH": os.environ["PATH"], "PORT": str(free_port)}
    code, output = run(environ | {"MODEL_DIR": str(bundle_folder)})
    assert (code, output.splitlines()[-1]) == (0, "all that is needed is there")
    code, output = run(environ | {"MODEL_DIR": str(tmp_path / "none")})
    assert (code, output.splitlines()[-1]) == (1, "to put right: model")


def test_without_packages_it_names_them_and_what_installs_them(free_port, tmp_path):
    code, output = run({"PORT": str(free_port), "MODEL_DIR": str(tmp_path / "none")}, "-S")
    assert code == 1
    assert f"not installed: {', '.join(PACKAGES)}" in output
    assert "-> make install" in output
    assert output.splitlines()[-1] == "to put right: serving packages, model"


def test_serving_needs_the_packages_that_are_looked_for():
    locked = (ROOT / "requirements/serving.txt").read_text()
    assert [name for name in PACKAGES if f"\n{name.replace('_', '-')}==" not in f"\n{locked}"] == []


def test_every_fault_of_the_settings_is_told_without_the_key(examine):
    found = examine(ENVIRONMENT="production", API_KEY=SECRET[:12], WORKERS="many", CORS_ORIGINS="*")
    assert faults(found) == {"settings"}
    for text in ("API_KEY: 1 of 1 keys are shorter than 32", "WORKERS: 'many' is no whole number", "CORS_ORIGINS: *"):
        assert text in found["settings"].found
    assert SECRET[:12] not in found["settings"].found


def test_folder_without_a_model_is_told_to_train(examine, tmp_path):
    assert "make train" in examine(MODEL_DIR=str(tmp_path / "none"))["model"].remedy
    assert examine(MODEL_DIR=str(tmp_path))["model"].found == f"{tmp_path}/metadata.json: is not there"


def test_damaged_bundle_is_named(examine, bundle_folder, tmp_path):
    folder = shutil.copytree(bundle_folder, tmp_path / "models")
    model = folder / MODEL_FILE
    model.write_bytes(model.read_bytes()[:-1])
    found = examine(MODEL_DIR=str(folder))
    assert faults(found) == {"model"}
    assert f"{model}: its sha256 is" in found["model"].found


def test_missing_pointer_in_a_bucket_is_a_fault(examine, storage_server):
    found = examine(MODEL_URI="gs://bucket/models/champion.json")
    assert faults(found) == {"model"}
    assert found["model"].found == "gs://bucket/models/champion.json: is not there"


def test_bucket_without_credentials_is_told_to_log_in(examine, no_credentials):
    found = examine(MODEL_URI="gs://bucket/models/champion.json")
    assert "gcloud auth application-default login" in found["model"].found


def test_silent_bucket_is_given_up_soon(bundle_folder, free_port):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        emulator = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environ = {"PATH": os.environ["PATH"], "PORT": str(free_port), "STORAGE_EMULATOR_HOST": emulator}
        started = time.monotonic()
        code, output = run(environ | {"MODEL_URI": "gs://bucket/models/champion.json"})
    assert code == 1
    assert "gs://bucket/models/champion.json: no answer within 3 s" in output
    assert time.monotonic() - started < 25  # imports on a busy machine included


def test_key_file_that_is_gone_is_a_fault(examine, tmp_path):
    found = examine(API_KEY_FILE=str(tmp_path / "api-key"))
    assert faults(found) == {"keys"}
    assert found["keys"].found == f"{tmp_path / 'api-key'}: No such file or directory"


def test_secret_that_nobody_may_read_is_a_fault(examine, no_credentials):
    found = examine(API_KEY_SECRET="projects/p/secrets/s/versions/latest")
    assert faults(found) == {"keys"}
    assert "projects/p/secrets/s/versions/latest: no credentials" in found["keys"].found


def test_dead_redis_is_told_without_its_password(examine, pick_port):
    port = pick_port()
    found = examine(RATELIMIT_STORAGE_URI=f"redis://:{SECRET}@127.0.0.1:{port}")
    assert faults(found) == {"limits"}
    assert f"127.0.0.1:{port}" in found["limits"].found
    assert "RATELIMIT_STORAGE_URI" in found["limits"].remedy


def test_live_redis_is_well(examine, redis_port):
    found = examine(RATELIMIT_STORAGE_URI=f"redis://127.0.0.1:{redis_port}")
    assert found["limits"] == ok("limits", f"Redis 127.0.0.1:{redis_port} answers")


def test_port_of_another_program_is_a_fault(examine):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen, so that it answers nobody
        found = examine(PORT=str(taken.getsockname()[1]))
    assert faults(found) == {"port"}
    assert "Address already in use" in found["port"].found
    assert "PORT=9000 make run" in found["port"].remedy


@pytest.mark.parametrize(("trained", "state"), [(True, State.OK), (False, State.FAULT)])
def test_port_of_the_service_itself_is_asked(examine, bundle_folder, free_port, await_port, tmp_path, trained, state):
    folder = bundle_folder if trained else tmp_path
    environ = {"PATH": os.environ["PATH"], "PORT": str(free_port), "MODEL_DIR": str(folder)}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", "functions.server"], cwd=ROOT, env=environ, stdout=log)
        try:
            await_port(free_port, server)
            found = examine()["port"]
        finally:
            server.terminate()
            server.wait(timeout=20)
    assert found.state is state
    assert found.found == f"the service answers on 127.0.0.1:{free_port}, and is {'ready' if trained else 'not ready'}"


def test_table_shows_remedies_below_and_colours_on_a_terminal_only():
    findings = [ok("python", "3.13"), fault("model", "one\ntwo", "make train"), optional("docker", "none", "get it")]
    plain = table("Title", findings, colours=False)
    assert plain.splitlines() == [
        "Title",
        "  ok        python  3.13",
        "  fault     model   one",
        "                    two",
        "                    -> make train",
        "  optional  docker  none",
        "                    -> get it",
    ]
    coloured = table("Title", findings, colours=True)
    for code in ("\033[32m", "\033[31m", "\033[33m", "\033[0m"):
        assert code in coloured
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_optional_findings_do_not_fail():
    stream = io.StringIO()
    assert report({"Title": [optional("docker", "none", "get it")]}, stream) == 0
    assert report({"Title": [fault("model", "none", "make train")]}, stream) == 1


def test_check_that_takes_too_long_is_given_up():
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.1 s"):
        within(0.1, lambda: time.sleep(2))
    assert time.monotonic() - started < 1.5
    with pytest.raises(KeyError):
        within(1, lambda: {}["missing"])
