"""Limits in a shared Redis that dies, hangs, or is slow: the service goes on, in time, and comes back to it."""

import logging
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

from functions import counting

ALLOWED_SECONDS = 0.05
PASSWORD = "a-password-that-nobody-may-read"


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """Try again soon, so that the tests needn't wait."""
    monkeypatch.setattr(counting, "RETRY_SECONDS", 0.2)


@pytest.fixture
def redis_server(require_program, free_port, await_port, tmp_path):
    """Start a Redis that asks for a password, on the port that `uri` names; may be called again after it has ended."""

    @contextmanager
    def running():
        command = [require_program("redis-server"), "--port", str(free_port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--requirepass", PASSWORD]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
            try:
                await_port(free_port, process)
                yield process
            finally:
                process.terminate()

    return running


class Delay:
    """A TCP proxy that holds back every chunk of the answers for some seconds; None holds it for good."""

    def __init__(self, port):
        self.seconds = 0.0
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                near.close()
                continue
            threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source, target, delayed):
        with source, target:
            try:
                while data := source.recv(65536):
                    while delayed and self.seconds is None:
                        time.sleep(0.01)
                    if delayed:
                        time.sleep(self.seconds)
                    target.sendall(data)
            except OSError:
                return

    def close(self):
        self._listener.close()


@pytest.fixture
def slow_redis(redis_server, free_port):
    """A running Redis behind a proxy that can be made slow."""
    with redis_server():
        delay = Delay(free_port)
        yield delay
        delay.close()


def uri(port):
    return f"redis://:{PASSWORD}@127.0.0.1:{port}"


def ask(client, row):
    """The status of one prediction, and how long it took."""
    started = time.perf_counter()
    status = client.post("/predict", json=row).status_code
    return status, time.perf_counter() - started


def degraded(client):
    return "ratelimit_storage_degraded 1.0" in client.get("/metrics").text


def failures(client):
    name = "ratelimit_storage_failures_total "
    return next(
        float(line.removeprefix(name)) for line in client.get("/metrics").text.splitlines() if line.startswith(name)
    )


def await_degraded(client, expected):
    for _ in range(200):
        if degraded(client) is expected:
            return
        time.sleep(0.02)
    raise AssertionError(f"degraded is still {not expected}")


def come_back(client, row):
    """Ask until the limits count in Redis again: it is requests that start a try."""
    for _ in range(200):
        ask(client, row)
        if not degraded(client):
            return
        time.sleep(0.05)
    raise AssertionError("it never came back")


def test_service_starts_and_limits_without_redis(make_client, row, free_port, caplog):
    client = make_client(ratelimit_storage_uri=uri(free_port), rate_limit_predict=3)
    assert [ask(client, row)[0] for _ in range(5)] == [200, 200, 200, 429, 429]
    assert degraded(client)
    assert failures(client) >= 1
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in said] == ["the limits count per process: their shared storage fails"]
    assert "refused" in said[0].reason


def test_service_goes_on_while_redis_is_gone_and_comes_back_to_it(make_client, row, redis_server, free_port, caplog):
    caplog.set_level(logging.INFO)
    with redis_server():
        one, other = (make_client(ratelimit_storage_uri=uri(free_port), rate_limit_predict=1_000_000) for _ in range(2))
        assert [ask(client, row)[0] for client in (one, other)] == [200, 200]
        assert not degraded(one)
    assert [ask(client, row)[0] for client in (one, other, one, other)] == [200] * 4
    assert degraded(one)
    assert degraded(other)
    with redis_server():
        come_back(one, row)
        come_back(other, row)
        remaining = [
            int(client.post("/predict", json=row).headers["X-RateLimit-Remaining"]) for client in (one, other, one)
        ]
        assert remaining == [remaining[0], remaining[0] - 1, remaining[0] - 2]
    messages = [record.getMessage() for record in caplog.records]
    assert messages.count("the limits count per process: their shared storage fails") == 2
    assert messages.count("the limits count in their shared storage again") == 2
    assert PASSWORD not in caplog.text + "".join(str(record.__dict__) for record in caplog.records)


def test_wrong_password_is_said_and_not_shown(make_client, row, redis_server, free_port, caplog):
    with redis_server():
        client = make_client(ratelimit_storage_uri=f"redis://:not-{PASSWORD}@127.0.0.1:{free_port}")
        await_degraded(client, True)
        assert ask(client, row)[0] == 200
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "invalid username-password pair" in record.reason
    assert PASSWORD not in str(record.__dict__)


def least_of_rounds(measure):
    """The least of three measurements: whoever else uses this machine only ever adds to one."""
    return min(measure() for _ in range(3))


@pytest.mark.parametrize("seconds", [0.06, 0.5, None], ids=["slow", "slower", "hanging"])
def test_slow_redis_costs_a_request_at_most_50_ms(make_client, row, slow_redis, seconds):
    client = make_client(ratelimit_storage_uri=uri(slow_redis.port), rate_limit_predict=1_000_000)

    def longest_while_slow():
        slow_redis.seconds = 0.0
        come_back(client, row)
        usual = max(ask(client, row)[1] for _ in range(20))
        slow_redis.seconds = seconds
        answers = [ask(client, row) for _ in range(20)]
        assert {status for status, _ in answers} == {200}
        assert degraded(client)
        return max(elapsed for _, elapsed in answers) - usual

    assert least_of_rounds(longest_while_slow) < ALLOWED_SECONDS
    slow_redis.seconds = 0.0
    come_back(client, row)


def test_lost_redis_is_waited_for_once(make_client, row, slow_redis, monkeypatch):
    monkeypatch.setattr(counting, "RETRY_SECONDS", 600)
    client = make_client(ratelimit_storage_uri=uri(slow_redis.port), rate_limit_predict=1_000_000)
    assert ask(client, row)[0] == 200
    slow_redis.seconds = None
    before = failures(client)
    for _ in range(20):
        ask(client, row)
    assert failures(client) - before == 1


def test_slow_connection_costs_a_request_at_most_50_ms(make_client, row, slow_redis):
    # each step of connecting and signing in is fast enough, all of them together are not
    slow_redis.seconds = 0.03

    def longest():
        client = make_client(ratelimit_storage_uri=uri(slow_redis.port), rate_limit_predict=1_000_000)
        answers = [ask(client, row) for _ in range(10)]
        assert {status for status, _ in answers} == {200}
        return max(elapsed for _, elapsed in answers)

    assert least_of_rounds(longest) < ALLOWED_SECONDS + 0.01


def test_many_requests_at_once_try_a_lost_redis_one_at_a_time(make_client, row, slow_redis):
    client = make_client(ratelimit_storage_uri=uri(slow_redis.port), rate_limit_predict=1_000_000)
    assert ask(client, row)[0] == 200
    slow_redis.seconds = None
    ask(client, row)
    before = failures(client)
    threads = [threading.Thread(target=lambda: [ask(client, row) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures(client) - before <= 2
