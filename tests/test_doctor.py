"""`make doctor`: on a fresh clone, in a trained project, and with one thing wrong at a time."""

import os
import re
import shutil
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from functions.findings import State, within
from pipeline.doctor.machine import (
    TEST_PROGRAMS,
    Tool,
    check_credentials,
    check_packages,
    check_ports,
    check_python,
    check_tool,
    machine_findings,
    minimum_version,
)
from pipeline.doctor.training import check_data, check_dvc, check_mlflow, without_password

ROOT = Path(__file__).resolve().parents[1]
FRESH = Path("/usr/bin:/bin")
SECRET = "a-secret-that-is-never-shown"


@pytest.fixture
def clone(tmp_path):
    """A fresh clone of the project."""
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


@pytest.fixture
def trained(clone, bundle_folder):
    """A clone with this environment as its own, and a released model."""
    (clone / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (clone / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    for stamp in (".pipeline", ".development"):
        (clone / ".venv" / stamp).touch()
    shutil.copytree(bundle_folder, clone / "models")
    return clone


def doctor(folder, *words, **changes):
    """Run `make doctor` in a shell that knows nothing of this environment, and give exit code and output."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environ = {"PATH": str(FRESH), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"} | changes
    base = Path(sys.base_prefix) / f"bin/python3.{sys.version_info[1]}"
    command = ["make", "doctor", f"PYTHON={base}", *words]
    result = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in result.stderr, result.stderr
    assert SECRET not in result.stdout + result.stderr
    return result.returncode, result.stdout


def findings_of(output):
    """State and remedy of each finding, by name."""
    found = {}
    for line in output.splitlines():
        if match := re.match(r"  (ok|fault|optional) +(\S+(?: \S+)*)  +\S", line):
            name = match[2]
            found[name] = [match[1], ""]
        elif " -> " in line:
            found[name][1] = line.split(" -> ")[1]
    return {name: tuple(finding) for name, finding in found.items()}


def test_fresh_clone_is_told_exactly_what_is_missing(clone, free_port):
    code, output = doctor(clone, f"PORT={free_port}")
    assert code != 0
    assert output.splitlines()[-1] == "to put right: packages, serving packages, model"
    found = findings_of(output)
    assert found["python"] == ("ok", "")
    assert found["packages"] == ("fault", "make install (make run does it too)")
    assert found["model"][1].startswith("make train")
    assert found["credentials"] == ("optional", "gcloud auth application-default login")
    assert found["port"] == ("ok", "")


def test_trained_project_is_well(trained, free_port):
    code, output = doctor(trained, f"PORT={free_port}")
    assert code == 0, output
    assert output.splitlines()[-1] == "all that is needed is there"
    found = findings_of(output)
    for name in ("python", "packages", "data", "mlflow", "settings", "serving packages", "model", "limits", "port"):
        assert found[name] == ("ok", ""), output
    assert found["dvc remote"] == ("optional", "make dvc-init PROJECT_ID=my-project")


def test_port_in_use_and_dvc_remote_without_credentials_are_faults(trained):
    subprocess.run(
        [sys.executable, "-m", "dvc", "remote", "add", "--default", "gcs", "gs://bucket-dvc-cache"],
        cwd=trained,
        check=True,
        capture_output=True,
    )
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        code, output = doctor(trained, f"PORT={port}", GOOGLE_APPLICATION_CREDENTIALS="/nonexistent.json")
    assert code != 0
    assert output.splitlines()[-1] == "to put right: credentials, dvc remote, port"
    assert "gcloud auth application-default login" in findings_of(output)["dvc remote"][1]


def test_old_python_is_told_by_make(clone, tmp_path):
    stub = tmp_path / "python3"
    stub.write_text("#!/bin/sh\nexit 1\n")
    stub.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{FRESH}"}
    result = subprocess.run(["make", "doctor"], cwd=clone, env=environ, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "error: python3 is missing, or older than Python 3.11; name another: make PYTHON=" in result.stderr


@pytest.mark.parametrize(("version", "state"), [((3, 10), State.FAULT), ((3, 11), State.OK), ((3, 15), State.FAULT)])
def test_python_has_to_be_one_of_the_project(version, state):
    finding = check_python(version, '[project]\nrequires-python = ">=3.11,<3.15"\n')
    assert finding.state is state


def test_lock_file_that_changed_since_is_told(trained):
    assert [finding.state for finding in check_packages(trained)] == [State.OK]
    os.utime(trained / ".venv/.development", (0, 0))
    assert [finding.state for finding in check_packages(trained)] == [State.OK, State.OPTIONAL]
    os.utime(trained / ".venv/.pipeline", (0, 0))
    (stale,) = check_packages(trained)
    assert (stale.state, stale.found) == (State.FAULT, ".venv is not what requirements/pipeline.txt says")


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """A tool on the PATH that runs the given shell text."""

    def make(text):
        path = tmp_path / "some-tool"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        return Tool("some tool", ("some-tool", "version"), "make something", "install it")

    return make


@pytest.mark.parametrize(
    ("text", "state", "found"),
    [
        ("echo Some v1.11.4", State.OK, "1.11.4"),
        ("echo Some v1.9.8", State.OPTIONAL, "1.9.8 is older than 1.11 (make something)"),
        ("echo no engine >&2; exit 1", State.OPTIONAL, "does not work: no engine (make something)"),
    ],
)
def test_tool_is_asked_for_its_version(tool, text, state, found):
    finding = check_tool(tool(text), (1, 11))
    assert (finding.state, finding.found) == (state, found)


def test_missing_tool_is_optional_and_says_for_what():
    finding = check_tool(Tool("some tool", ("no-such-tool",), "make something", "install it"), ())
    assert (finding.state, finding.found, finding.remedy) == (
        State.OPTIONAL,
        "is not there (make something)",
        "install it",
    )


def test_terraform_has_to_be_as_new_as_the_configuration_says():
    assert minimum_version("terraform", ROOT) == (1, 11)


def test_programs_of_the_tests_are_those_that_contributors_install():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert re.search(r"`apt-get install ([^`]+)`", text)[1].split() == list(TEST_PROGRAMS)


def test_ports_of_the_local_stack_are_looked_at():
    compose = (ROOT / "compose.yaml").read_text()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        found = {finding.name: finding for finding in check_ports(compose, {"MLFLOW_PORT": str(port)})}
    assert set(found) == {"mlflow port", "prometheus port", "grafana port"}
    assert found["mlflow port"].state is State.OPTIONAL
    assert found["mlflow port"].remedy.endswith(f"MLFLOW_PORT={port + 1} make run-docker")


def test_port_that_is_none_is_a_fault():
    found = check_ports((ROOT / "compose.yaml").read_text(), {"MLFLOW_PORT": "many", "GRAFANA_PORT": "70000"})
    assert [finding.name for finding in found if finding.state is State.FAULT] == ["mlflow port", "grafana port"]


def test_credentials_are_named_and_not_shown(tmp_path):
    path = tmp_path / "account.json"
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}
    assert check_credentials(environ).state is State.FAULT
    path.write_text("no JSON")
    assert check_credentials(environ).found == f"{path}: holds no credentials"
    path.write_text(f'{{"type": "service_account", "private_key": "{SECRET}"}}')
    assert check_credentials(environ).found == f"{path} (service_account)"


def test_missing_data_file_is_told_with_its_remedy(tmp_path):
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("data/raw/iris.csv", "data/raw/mine.csv"))
    finding = check_data(tmp_path)
    assert (finding.state, finding.found) == (State.FAULT, "data/raw/mine.csv: no such file")
    assert "dvc pull data/raw/mine.csv.dvc" in finding.remedy


@pytest.mark.parametrize("uri", ["file:./mlruns", "./mlruns"])
def test_mlflow_store_of_files_is_refused(uri):
    finding = check_mlflow(uri)
    assert finding.state is State.FAULT
    assert "it gave up stores made of files" in finding.found


@pytest.mark.parametrize("scheme", ["http", "postgresql", "postgres"])
def test_mlflow_out_of_reach_is_told_without_its_password(scheme, pick_port):
    finding = check_mlflow(f"{scheme}://user:{SECRET}@127.0.0.1:{pick_port()}/mlflow")
    assert finding.state is State.FAULT
    assert SECRET not in finding.found + finding.remedy
    assert "127.0.0.1" in finding.found


@pytest.mark.parametrize(("status", "state"), [(200, State.OK), (401, State.OK), (404, State.FAULT)])
def test_mlflow_server_is_asked_for_its_health(status, state):
    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        finding = check_mlflow(f"http://user:{SECRET}@127.0.0.1:{server.server_port}")
        thread.join()
    assert finding.state is state
    assert SECRET not in finding.found


def test_local_mlflow_is_well():
    assert check_mlflow("").state is State.OK


def test_bucket_that_is_not_there_is_a_fault(storage_server):
    assert check_mlflow("gs://bucket/mlruns/").state is State.OK
    missing = check_mlflow("gs://no-such-bucket/mlruns/")
    assert missing.state is State.FAULT
    assert "gs://no-such-bucket/mlruns" in missing.found


def test_dvc_outside_of_git_is_told_what_to_configure(clone):
    shutil.rmtree(clone / ".git")
    finding = check_dvc(clone)
    assert finding.state is State.FAULT
    assert "dvc config --local core.no_scm true" in finding.remedy


def test_dvc_remote_in_a_folder_has_to_be_there(clone, tmp_path):
    config = clone / ".dvc/config.local"
    config.write_text(f"[core]\n    remote = here\n['remote \"here\"']\n    url = {tmp_path / 'cache'}\n")
    assert check_dvc(clone).state is State.FAULT
    (tmp_path / "cache").mkdir()
    assert check_dvc(clone).state is State.OK


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://u:p@h:1/d", "postgresql://h:1/d"),
        ("postgresql://u:p/w@h/d", "postgresql://h/d"),
        ("postgresql://h/d?user=u&password=p@q", "postgresql://h/d"),
        ("gs://bucket/a@b", "gs://bucket/a@b"),
        ("data/raw", "data/raw"),
    ],
)
def test_password_of_an_address_is_taken_out(uri, shown):
    assert without_password(uri) == shown


def test_machine_is_examined_in_bounded_time():
    assert within(60, lambda: machine_findings(ROOT, os.environ))
