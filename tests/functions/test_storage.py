"""Cloud Storage's client over a network that fails: retries, and bounds of time."""

import gc
import http.server
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from functions.bundle import storage
from functions.bundle.sources import PointerSource
from functions.bundle.storage import Location, StorageError
from functions.champion import Champion


class Flaky(http.server.BaseHTTPRequestHandler):
    """Answers with the statuses that the server has in store, then with an object."""

    def do_GET(self):
        status = 404
        # the client asks for the bucket too, on its own account
        if "/o/" in self.path:
            self.server.times.append(time.monotonic())
            status = self.server.statuses.pop(0) if self.server.statuses else 200
        body = b"content" if status == 200 else b"{}"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Goog-Generation", "7")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Flaky) as flaky:
        flaky.times, flaky.statuses = [], []
        thread = threading.Thread(target=flaky.serve_forever)
        thread.start()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{flaky.server_port}")
        yield flaky
        flaky.shutdown()
        thread.join()


@pytest.fixture
def pauses(server):
    """The pauses between the tries of a reading that fails three times."""

    def measure():
        server.times.clear()
        server.statuses[:] = [503, 429, 500]
        assert Location("gs://bucket/models").read("champion.json") == (b"content", 7)
        return [later - earlier for earlier, later in zip(server.times, server.times[1:], strict=False)]

    return measure


def test_passing_failures_are_tried_again_after_random_pauses(pauses):
    found = [pauses() for _ in range(3)]
    assert [len(tries) for tries in found] == [3] * 3
    assert all(pause < 4.5 for tries in found for pause in tries)
    assert len({round(pause, 3) for tries in found for pause in tries}) > 3


def test_failure_that_stays_ends_after_a_bounded_time(server, monkeypatch):
    monkeypatch.setattr(storage, "RETRY_SECONDS", 1.0)
    server.statuses[:] = [503] * 1000
    before = time.monotonic()
    with pytest.raises(StorageError, match=r"gs://bucket/models/champion.json: can't be read \(.*503"):
        Location("gs://bucket/models").read("champion.json")
    assert time.monotonic() - before < 5
    assert len(server.times) > 1


def test_silence_ends_after_a_bounded_time(monkeypatch):
    monkeypatch.setattr(storage, "RETRY_SECONDS", 1.0)
    monkeypatch.setattr(storage, "TIMEOUTS", (0.3, 0.3))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{silent.getsockname()[1]}")
        before = time.monotonic()
        for ask in (Location.read, Location.generation):
            with pytest.raises(StorageError, match="timed out"):
                ask(Location("gs://bucket/models"), "champion.json")
        assert time.monotonic() - before < 10


@pytest.mark.parametrize("status", [403, 503])
def test_storage_that_refuses_for_long_exhausts_no_files(server, monkeypatch, status):
    monkeypatch.setattr(storage, "RETRY_SECONDS", 0.2)
    server.statuses[:] = [status] * 10_000
    champion = Champion(source=PointerSource("gs://bucket/models/champion.json"), max_rows=10)
    gc.disable()
    try:
        found = []
        for _ in range(10):
            champion.start()
            champion.wait(30)
            # those of the server in this process come and go
            found.append(len([kind for kind in open_files() if kind.startswith("socket")]))
    finally:
        gc.enable()
    assert len(server.times) >= 10
    assert found[-1] <= found[0] + 3, found


def open_files():
    """What this process has open."""
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            yield str(path.readlink())


def test_refusal_is_not_tried_again(server):
    server.statuses[:] = [403]
    with pytest.raises(StorageError, match="their roles on the bucket"):
        Location("gs://bucket/models").read("champion.json")
    assert len(server.times) == 1
