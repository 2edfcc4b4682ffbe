"""The servers that take the load: the service with everything on, and the bare handler."""

import http.client
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.constant_rate import answer_size
from benchmarks.errors import BenchmarkError
from benchmarks.processes import environment, free_port, on_core, python, running
from benchmarks.requests import Post

LIMIT = 10**9
"""Predictions a minute: never reached, and counted all the same."""

START_SECONDS = 60
_RETRY_SECONDS = 0.001


@dataclass(frozen=True)
class Launch:
    """How a server is started: its command and environment, its port, and the key that it asks for."""

    command: list[str]
    env: dict[str, str]
    port: int
    key: str | None = None

    def authorised(self, post: Post) -> Post:
        """`post` with the server's key."""
        return post if self.key is None else replace(post, headers={**post.headers, "X-API-Key": self.key})


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    launch: Launch
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.launch.port

    @property
    def pid(self) -> int:
        """The process that was started; others may be its children."""
        return self.process.pid


def service_launch(bundle: Path, core: int) -> Launch:
    """The service as in production: key, limit, validation, metrics, JSON access log."""
    port, key = free_port(), secrets.token_hex(32)
    env = environment(
        ENVIRONMENT="production",
        API_KEY=key,
        CORS_ORIGINS="https://app.example.com",
        HOST="127.0.0.1",
        PORT=str(port),
        MODEL_DIR=str(bundle.resolve()),
        RATE_LIMIT_PREDICT=str(LIMIT),
    )
    return Launch(on_core(core, *python("-m", "functions.server")), env, port, key)


def bare_launch(core: int) -> Launch:
    """The bare handler on the same server configuration."""
    port = free_port()
    return Launch(on_core(core, *python("-m", "benchmarks.bare")), environment(PORT=str(port)), port)


@contextmanager
def serving(
    launch: Launch, first: Post, folder: Path | None = None, seconds: float = START_SECONDS
) -> Iterator[Server]:
    """Start a server and wait until it answers `first` with 200; its output goes to a file, as to a container's log.

    Raises:
        BenchmarkError: it ended, or did not answer in time; has the end of what it said.
    """
    with TemporaryDirectory(prefix="benchmark-") as logs:
        log = Path(logs, "log")
        where = {} if folder is None else {"folder": folder}
        with running(launch.command, launch.env, log, **where) as process:
            server = Server(launch, process, log)
            wait_for_answer(server, launch.authorised(first), seconds)
            yield server


def time_to_first_answer(launch: Launch, first: Post) -> float:
    """Seconds from starting the process to its first answer with status 200."""
    started = time.perf_counter()
    with serving(launch, first):
        return time.perf_counter() - started


def wait_for_answer(server: Server, post: Post, seconds: float) -> None:
    """Try until the server answers `post` with 200.

    Raises:
        BenchmarkError: it ended, or did not answer in time.
    """
    deadline = time.monotonic() + seconds
    last = b""
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        try:
            last = ask(server.port, post)
        except OSError:
            time.sleep(_RETRY_SECONDS)
            continue
        if b" 200 " in last.partition(b"\r\n")[0]:
            return
        time.sleep(_RETRY_SECONDS)
    said = "\n".join(server.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
    raise BenchmarkError(
        f"`{' '.join(server.launch.command)}` gave no prediction in {seconds:g} s; its last answer: {last[:300]!r}; "
        f"its log:\n{said}"
    )


def ask(port: int, post: Post) -> bytes:
    """The server's raw answer to one request on a connection of its own.

    Raises:
        OSError: it does not answer.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(post.raw(port))
        while (size := answer_size(received)) is None or len(received) < size:
            chunk = connection.recv(1 << 16)
            if not chunk:
                raise ConnectionResetError("closed before the answer was complete")
            received += chunk
    return received


def counted_predictions(server: Server) -> int:
    """Answered POST requests that the service's own metrics count.

    Raises:
        BenchmarkError: it has no such metric.
    """
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    for line in text.splitlines():
        if line.startswith('flask_http_request_total{method="POST",status="200"}'):
            return int(float(line.rpartition(" ")[2]))
    raise BenchmarkError("the service's /metrics do not count its predictions")


def logged_requests(server: Server) -> int:
    """Lines of the service's access log."""
    with server.log.open("rb") as lines:
        return sum(b'"httpRequest"' in line for line in lines)


def remaining_of_limit(answer: bytes) -> int:
    """What an answer says is left of the limit.

    Raises:
        BenchmarkError: it does not say.
    """
    for line in answer.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"x-ratelimit-remaining":
            return int(value)
    raise BenchmarkError("the service's answer does not say what is left of the limit")
