"""Each way of starting gives the same service, starts with clear refusals, and stops cleanly."""

import http.client
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
KEY = "an-example-key-of-more-than-32-characters"
SERVER = ["python", "-m", "functions.server"]
FLASK = ["flask", "run"]
FUNCTION = ["python", "-m", "functions_framework", "--source", "functions/main.py", "--target", "predict"]
WAYS = {"server": SERVER, "flask": FLASK, "function": FUNCTION}
NEVER_SERVED = {"sklearn", "pandas", "mlflow", "dvc"}
START_SECONDS, STOP_SECONDS = 30, 12


def environment(**changes):
    """The environment of a fresh shell with the project's own Python in front, and `changes`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
    return {"PATH": path, "HOME": "/nonexistent", "LANG": "C.UTF-8"} | changes


class Service:
    """A started service: its process, its port, and where its output goes."""

    def __init__(self, process, port, output):
        self.process, self.port, self._output = process, port, output

    @property
    def output(self):
        return self._output.read_text()

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def predict(self, row, **headers):
        return self.ask("POST", "/predict", json.dumps(row), {"Content-Type": "application/json"} | headers)

    def await_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.output
            try:
                if self.ask("GET", "/health/ready")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise TimeoutError(self.output)

    def stop(self, by=signal.SIGTERM):
        """Send the signal to the process that was started, and give its exit code."""
        os.kill(self.pid, by)
        return self.process.wait(STOP_SECONDS)

    @property
    def pid(self):
        """The started program, which under strace is strace's child."""
        if Path(self.process.args[0]).name != "strace":
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])


@pytest.fixture
def start(bundle_folder, tmp_path, free_port):
    """Start a command at the project's root and wait until it is ready."""

    @contextmanager
    def started(command, before=(), port=free_port, **changes):
        variables = environment(
            PORT=str(port), FLASK_RUN_PORT=str(port), HOST="127.0.0.1", MODEL_DIR=str(bundle_folder)
        )
        output = tmp_path / f"output-{time.monotonic_ns()}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*before, *command],
                cwd=ROOT,
                env=variables | changes,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        service = Service(process, port, output)
        try:
            service.await_ready()
            yield service
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    return started


def run(command, **changes):
    """Run a command that is expected to end by itself."""
    return subprocess.run(
        command, cwd=ROOT, env=environment(**changes), capture_output=True, text=True, timeout=START_SECONDS
    )


def test_procfile_starts_the_server():
    assert (ROOT / "Procfile").read_text() == f"web: {shlex.join(SERVER)}\n"


def imported(output):
    """The modules that a process run with PYTHONPROFILEIMPORTTIME, and its children, imported."""
    return {match.strip() for match in re.findall(r"^import time:\s+\d+ \|\s+\d+ \|(.*)$", output, re.MULTILINE)}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_answers_alike_phones_nobody_and_stops_on_sigterm(start, require_program, tmp_path, model, row, way):
    trace = tmp_path / "trace"
    before = [require_program("strace"), "-f", "-qq", "-e", "trace=connect", "-o", str(trace)]
    with start(WAYS[way], before, PYTHONPROFILEIMPORTTIME="1") as service:
        status, headers, body = service.predict(row)
        assert status == 200
        golden = model.metadata.golden_examples[0]
        answer = json.loads(body)
        assert answer["prediction"] == golden.prediction
        assert list(answer["probabilities"].values()) == pytest.approx(golden.probabilities, abs=2e-5)
        found = {name.lower(): value for name, value in headers.items()}
        assert found["x-model-version"] == model.version
        assert found["x-ratelimit-limit"] == "10"
        assert service.ask("GET", "/health")[0] == 200
        assert service.ask("GET", "/nowhere")[0] == 404
        assert service.ask("OPTIONS", "/predict")[0] == 200
        assert service.ask("GET", "/metrics")[0] == 200
        code = service.stop()
        assert code in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
        assert "Traceback" not in service.output
        modules = imported(service.output)
    assert "onnxruntime" in modules
    assert not {name.split(".")[0] for name in modules} & NEVER_SERVED
    assert not {name for name in modules if name.startswith("google.") and not is_of_functions_framework(name)}
    assert unexpected_connections(trace.read_text()) == []


CONNECT = "import socket; socket.socket().connect_ex(('127.0.0.1', 1))"


def test_strace_sees_a_connection(require_program, tmp_path):
    trace = tmp_path / "trace"
    run([require_program("strace"), "-f", "-qq", "-e", "trace=connect", "-o", str(trace), "python", "-c", CONNECT])
    assert "connect(" in trace.read_text()


def is_of_functions_framework(module):
    """google.cloud.functions is functions-framework's own package, no client."""
    return module == "google.cloud" or module.startswith("google.cloud.functions")


def unexpected_connections(trace):
    """Connections to other than this machine."""
    calls = re.findall(r"connect\(\d+, \{sa_family=(\w+)(.*)", trace)
    return [
        (family, rest)
        for family, rest in calls
        if family not in ("AF_UNIX", "AF_UNSPEC", "AF_NETLINK")
        and 'inet_addr("127.' not in rest
        and 'inet_pton(AF_INET6, "::1"' not in rest
    ]


def test_trace_of_a_connection_elsewhere_is_recognized():
    assert unexpected_connections(
        '7 connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("8.8.8.8")}, 16) = -1\n'
        '7 connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.1")}, 16) = 0\n'
        '7 connect(3, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = 0\n'
    ) == [("AF_INET", ', sin_port=htons(443), sin_addr=inet_addr("8.8.8.8")}, 16) = -1')]


MODULES_AFTER_A_PREDICTION = """
import json, sys
from functions.app import from_environment

client = from_environment().test_client()
response = client.post("/predict", json=json.loads(sys.argv[1]), headers={"X-API-Key": sys.argv[2]})
assert response.status_code == 200, response.text
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("name", ["MODEL_DIR", "MODEL_URI"])
def test_process_that_predicted_has_loaded_nothing_that_trains_and_no_google_client(bundle_folder, row, tmp_path, name):
    (tmp_path / "api-key").write_text(KEY)
    settings = {name: str(bundle_folder), "API_KEY_FILE": str(tmp_path / "api-key"), "MODEL_RELOAD_SECONDS": "1"}
    result = run(["python", "-c", MODULES_AFTER_A_PREDICTION, json.dumps(row), KEY], **settings)
    assert result.returncode == 0, result.stderr
    modules = json.loads(result.stdout.splitlines()[-1])
    assert not {name.split(".")[0] for name in modules} & NEVER_SERVED
    assert not [name for name in modules if name.startswith("google") and name not in ("google", "google.cloud")]


def test_server_speaks_json_lines_only_and_shows_no_key(start, row):
    with start(SERVER, API_KEY=KEY, TRUSTED_PROXY_HOPS="1", LOG_LEVEL="INFO") as service:
        assert service.predict(row)[0] == 401
        assert service.predict(row, **{"X-API-Key": KEY})[0] == 200
        assert service.predict(row, **{"X-API-Key": KEY[:-1]})[0] == 403
        assert service.stop() == 0
        lines = [json.loads(line) for line in service.output.splitlines()]
    assert "model loaded" in [line["message"] for line in lines]
    statuses = [line["httpRequest"]["status"] for line in lines if line["message"] == "request"]
    assert statuses[-3:] == [401, 200, 403]
    assert all(line["severity"] and line["time"] for line in lines)
    assert KEY[:-1] not in json.dumps(lines, ensure_ascii=False)


def test_server_keeps_vertex_ais_contract(start, rows, model, free_port):
    """https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements names the variables."""
    deployed = "/v1/endpoints/6824/deployedModels/1579"
    vertex = {
        "AIP_MODE": "PREDICTION",
        "AIP_HTTP_PORT": str(free_port),
        "AIP_HEALTH_ROUTE": deployed,
        "AIP_PREDICT_ROUTE": f"{deployed}:predict",
        "AIP_ENDPOINT_ID": "6824",
        "ENVIRONMENT": "production",
        "API_KEY": KEY,
        "RATE_LIMIT_PREDICT": "1",
        "RATE_LIMIT_HEALTH": "1",
    }
    with start(SERVER, **vertex | {"PORT": "1"}) as service:
        listed = [rows[0][name] for name in model.metadata.feature_names]
        body = json.dumps({"instances": [*rows, listed], "parameters": {}})
        for _ in range(3):
            assert service.ask("GET", deployed)[0] == 200
            status, _, answer = service.ask("POST", f"{deployed}:predict", body, {"Content-Type": "application/json"})
            assert status == 200
        predictions = [prediction["prediction"] for prediction in json.loads(answer)["predictions"]]
        golden = [example.prediction for example in model.metadata.golden_examples]
        assert predictions == [*golden, golden[0]]


def raw(service, *lines):
    """Send header lines as they stand, and give the status line."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "Host: here", "Connection: close", "", ""]).encode())
        return connection.makefile("rb").read().split(b"\r\n", 1)[0].decode()


@pytest.mark.parametrize("way", ["server", "function"])
def test_several_forwarded_for_lines_count_as_one(start, way):
    """A client's own line must not stand for the one that the proxy appends."""
    with start(WAYS[way], TRUSTED_PROXY_HOPS="1", RATE_LIMIT_HEALTH="2") as service:
        statuses = [
            raw(
                service, "GET /health HTTP/1.1", f"X-Forwarded-For: 1.1.1.{number}", "X-Forwarded-For: 203.0.113.1"
            ).split()[1]
            for number in range(3)
        ]
    assert statuses == ["200", "200", "429"]


def send_chunked(service, path, body):
    """Send `body` in two chunks, all in one go so that an early answer can't cut it, and give the status."""
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:], b""))
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(head.encode() + chunks)
        return int(connection.recv(4096).split()[1])


@pytest.mark.parametrize("way", WAYS)
def test_chunked_body_is_read_up_to_the_limit(start, row, way):
    body = json.dumps(row).encode()
    with start(WAYS[way], MAX_REQUEST_BYTES="2000") as service:
        found = {size: send_chunked(service, "/predict", body.ljust(size)) for size in (200, 2000, 2001, 5000)}
    assert found == {200: 200, 2000: 200, 2001: 413, 5000: 413}


@pytest.mark.parametrize("way", ["server", "flask"])
def test_production_without_key_and_origins_is_refused_in_one_message(way, free_port):
    result = run(WAYS[way], ENVIRONMENT="production", PORT=str(free_port), FLASK_RUN_PORT=str(free_port))
    assert result.returncode != 0
    assert result.stderr.count("API_KEY: ") == 1
    assert result.stderr.count("CORS_ORIGINS: ") == 1
    assert "Traceback" not in result.stdout + result.stderr


def test_port_in_use_is_told_without_a_traceback(bundle_folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run(SERVER, PORT=str(port), MODEL_DIR=str(bundle_folder))
    assert result.returncode != 0
    assert str(port) in result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_second_server_on_the_same_port_is_refused(start, bundle_folder):
    with start(SERVER) as service:
        result = run(SERVER, PORT=str(service.port), MODEL_DIR=str(bundle_folder))
        assert result.returncode != 0
        assert str(service.port) in result.stderr
        assert service.ask("GET", "/health")[0] == 200


def test_server_stops_cleanly_on_ctrl_c_and_starts_again_at_once(start):
    for _ in range(2):
        with start(SERVER) as service:
            assert service.stop(signal.SIGINT) == 0
            assert "Traceback" not in service.output


def test_ctrl_c_ends_the_serving_process_by_its_parent_alone(start):
    with start(SERVER) as service:
        children = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGINT)
        time.sleep(0.5)
        assert service.ask("GET", "/health/live")[0] == 200
        # a terminal signals all that it started
        os.killpg(service.pid, signal.SIGINT)
        assert service.process.wait(STOP_SECONDS) == 0
        assert "refused to gracefully stop" not in service.output


def test_request_in_flight_is_finished_on_sigterm(start, row):
    body = json.dumps(row).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with start(SERVER) as service, socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(head.encode() + body[:5])
        time.sleep(0.3)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        connection.sendall(body[5:])
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        assert service.process.wait(STOP_SECONDS) == 0


def test_server_starts_without_model_and_says_so(start, tmp_path, free_port):
    output = tmp_path / "out"
    with output.open("wb") as file:
        process = subprocess.Popen(
            SERVER,
            cwd=ROOT,
            env=environment(PORT=str(free_port), MODEL_DIR=str(tmp_path / "none")),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    service = Service(process, free_port, output)
    try:
        for _ in range(200):
            try:
                assert service.ask("GET", "/health")[0] == 503
                break
            except OSError:
                time.sleep(0.05)
        assert service.ask("GET", "/health/live")[0] == 200
        assert service.stop() == 0
        assert "no model is served" in service.output
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_two_processes_share_one_limit_exactly(start, row, redis_port, free_port):
    shared = {"RATELIMIT_STORAGE_URI": f"redis://127.0.0.1:{redis_port}", "RATE_LIMIT_PREDICT": "50"}
    second = start(SERVER, port=other_than(free_port), **shared)
    with start(SERVER, **shared) as one, second as other, ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda service: service.predict(row)[0], [one, other] * 50))

    assert answers.count(200) == 50
    assert answers.count(429) == 50


def other_than(port):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert probe.getsockname()[1] != port
        return probe.getsockname()[1]
