"""A real process of the service, and servers of Google Cloud's protocols that fail in the ways that networks do."""

import http.client
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from functions.bundle.files import read_bundle

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60


class Service:
    """A started service: its process, and where it listens and writes."""

    def __init__(self, process, port, log):
        self.process, self.port, self._log = process, port, log

    @property
    def output(self):
        return self._log.read_text()

    @property
    def lines(self):
        return [json.loads(line) for line in self.output.splitlines()]

    def reasons(self):
        """What the service has complained of."""
        return [line["reason"] for line in self.lines if line["severity"] == "ERROR" and "reason" in line]

    def ask(self, path, body=None, key=None, timeout=10):
        """Status, headers and content of an answer."""
        headers = {"X-API-Key": key} if key else {}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as connection:
            if body is None:
                connection.request("GET", path, headers=headers)
            else:
                content = {"Content-Type": "application/json"}
                connection.request("POST", path, json.dumps(body), headers | content)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    def status(self, path, *args, **more):
        return self.ask(path, *args, **more)[0]

    def await_status(self, path, status, seconds=START_SECONDS):
        """Ask until that status is answered."""
        deadline, found = time.monotonic() + seconds, None
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.output
            with suppress(OSError):
                found = self.status(path)
                if found == status:
                    return
            time.sleep(0.05)
        raise TimeoutError(f"{path} answers {found}, not {status}: {self.reasons()}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@pytest.fixture
def row(bundle_folder):
    """A row that the default model takes."""
    return read_bundle(bundle_folder).metadata.golden_examples[0].instance


@pytest.fixture
def start(tmp_path, pick_port):
    """Start the service with an environment of its own, and wait until it answers."""

    @contextmanager
    def started(**settings):
        port, log = int(settings.get("AIP_HTTP_PORT", pick_port())), tmp_path / f"log-{time.monotonic_ns()}"
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "PORT": str(port),
            "MODEL_DIR": str(tmp_path / "none"),
            "RATE_LIMIT_PREDICT": "1000000",
            "RATE_LIMIT_HEALTH": "1000000",
            "RATE_LIMIT_MODEL_INFO": "1000000",
            # no metadata server on this machine; without this the client looks for one for seconds
            "NO_GCE_CHECK": "true",
        }
        command = [sys.executable, "-m", "functions.server"]
        with (
            log.open("wb") as output,
            subprocess.Popen(command, cwd=ROOT, env=environment | settings, stdout=output, stderr=output) as process,
        ):
            service = Service(process, port, log)
            try:
                service.await_status("/health/live", 200)
                yield service
            finally:
                if process.poll() is None:
                    process.terminate()
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(15)
                    process.kill()

    return started


class Proxy:
    """A TCP proxy to a port of this machine, which can hold what it is sent.

    With `connect` it is asked for a host first, as an HTTP proxy is, and connects to its own port whatever
    the host.
    """

    def __init__(self, target, *, connect=False):
        self.open = threading.Event()
        self.open.set()
        self._closed = False
        self._target, self._connect = target, connect
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._sockets = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with suppress(OSError):
            if self._connect:
                asked = b""
                while not asked.endswith(b"\r\n\r\n"):
                    asked += client.recv(4096)
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            self.open.wait()
            if self._closed:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets.append(server)
            threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
            self._pump(client, server)

    def _pump(self, source, target):
        with suppress(OSError):
            while chunk := source.recv(1 << 16):
                self.open.wait()
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)

    def close(self):
        self._closed = True
        self.open.set()
        for opened in self._sockets:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()


@pytest.fixture
def proxy_to():
    """Make a proxy to a port."""
    made = []

    def make(*args, **more):
        made.append(Proxy(*args, **more))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


class Refusal(http.server.BaseHTTPRequestHandler):
    """Answers every request as the JSON API of Cloud Storage answers whom it does not let in."""

    def do_GET(self):
        reason = "mlops-api-sa does not have storage.objects.get access to the Google Cloud Storage object."
        self.server.asked += 1
        body = json.dumps({"error": {"code": 403, "message": reason, "errors": [{"reason": "forbidden"}]}}).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def refusing_storage():
    """A storage server that forbids everything."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        server.asked = 0
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
