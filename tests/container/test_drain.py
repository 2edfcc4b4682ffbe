"""A container that is stopped under load finishes what it has begun, and takes no more."""

import json
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass

import pytest

pytestmark = [pytest.mark.container, pytest.mark.slow]

ROUNDS = 10
REQUESTS_PER_SECOND = 200
STOP_SECONDS = 10
"""Cloud Run's time between SIGTERM and SIGKILL."""

LOAD_SECONDS = 30
"""A busy machine may take so long until the rate is reached."""

ROWS = 1_000
"""Of the requests that take some time."""

ANSWERED, REFUSED, CLOSED_BEFORE_ANSWER, CUT = "answered", "refused", "closed before a byte of an answer", "cut"


@dataclass(frozen=True)
class Exchange:
    """One request: when it was begun and over (seconds, monotonic), and what came of it."""

    begun: float
    ended: float
    outcome: str
    fresh: bool


class Client(threading.Thread):
    """Sends one request after another, on one connection or on a fresh one each, and records what came of each."""

    def __init__(self, port, body, *, keep_alive, pause):
        super().__init__(daemon=True)
        self.exchanges = []
        self.stopped = threading.Event()
        self._port, self._keep_alive, self._pause = port, keep_alive, pause
        kind = "keep-alive" if keep_alive else "close"
        head = f"POST /predict HTTP/1.1\r\nHost: h\r\nConnection: {kind}\r\nContent-Type: application/json\r\n"
        self.request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def run(self):
        connection = None
        while not self.stopped.wait(self._pause):
            fresh, begun = connection is None, time.monotonic()
            try:
                connection = connection or socket.create_connection(("127.0.0.1", self._port), timeout=20)
            except ConnectionRefusedError:
                self.exchanges.append(Exchange(begun, time.monotonic(), REFUSED, fresh))
                continue
            outcome, stays = self._ask(connection)
            self.exchanges.append(Exchange(begun, time.monotonic(), outcome, fresh))
            if not (self._keep_alive and stays):
                connection.close()
                connection = None

    def _ask(self, connection):
        """Send the request, read the whole answer, and give the outcome and whether the connection stays open."""
        answer = b""
        try:
            connection.sendall(self.request)
            while not _complete(answer):
                part = connection.recv(1 << 20)
                if not part:
                    break
                answer += part
        except (ConnectionResetError, BrokenPipeError):
            pass
        if not answer:
            return CLOSED_BEFORE_ANSWER, False
        if not _complete(answer):
            return CUT, False
        head = answer.partition(b"\r\n\r\n")[0].lower()
        status = head.split(b" ", 2)[1]
        return (ANSWERED if status == b"200" else f"status {status.decode()}"), b"connection: close" not in head


def _complete(answer):
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return len(body) >= int(length.partition(b":")[2])


@pytest.fixture
def load(row):
    """Clients of both kinds with one row each, and some with many rows, that are running."""

    def started(port):
        one, many = json.dumps(row).encode(), json.dumps({"instances": [row] * ROWS}).encode()
        clients = [Client(port, one, keep_alive=number % 2 == 0, pause=0.005) for number in range(12)]
        clients += [Client(port, many, keep_alive=number % 2 == 0, pause=0.05) for number in range(2)]
        for client in clients:
            client.start()
        return clients

    return started


def await_rate(clients):
    """Wait until so many requests were answered within the last second."""
    deadline = time.monotonic() + LOAD_SECONDS
    while True:
        last_second = time.monotonic() - 1
        rate = sum(exchange.ended > last_second for client in clients for exchange in list(client.exchanges))
        if rate >= REQUESTS_PER_SECOND:
            return
        assert time.monotonic() < deadline, f"{rate} requests/s, not {REQUESTS_PER_SECOND}"
        time.sleep(0.05)


def await_refusal(port):
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=20).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.002)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_stop_under_load_loses_no_request(start, docker, inspect, load, number):
    # The host's network, because the engine's forwarding of ports accepts connections that the service refuses
    options = ("--network", "host", "--env", "HOST=127.0.0.1", "--env", "RATE_LIMIT_PREDICT=1000000000")
    with start(*options, publish=False) as container:
        container.await_answer("/health/ready")
        clients = load(container.port)
        await_rate(clients)
        with socket.create_connection(("127.0.0.1", container.port), timeout=20) as in_flight:
            request, half = clients[0].request, len(clients[0].request) - 10
            in_flight.sendall(request[:half])
            stopping = time.monotonic()
            stop = threading.Thread(target=docker, args=("stop", "--time", str(STOP_SECONDS), container.name))
            stop.start()
            await_refusal(container.port)
            refused = time.monotonic()
            in_flight.sendall(request[half:])
            assert in_flight.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        stop.join()
        stopped = time.monotonic()
        for client in clients:
            client.stopped.set()
        for client in clients:
            client.join(timeout=20)
        state = inspect(container.name)["State"]
        done = container.logs().count('"requestUrl":"/predict"')

    assert state["ExitCode"] == 0
    assert stopped - stopping < STOP_SECONDS
    exchanges = [exchange for client in clients for exchange in client.exchanges]
    before = [exchange for exchange in exchanges if exchange.begun < stopping]
    assert Counter(exchange.outcome for exchange in before) == {ANSWERED: len(before)}
    # What came later is answered whole or not done at all, so that it can be sent elsewhere.
    outcomes = Counter(exchange.outcome for exchange in exchanges)
    assert outcomes.keys() <= {ANSWERED, REFUSED, CLOSED_BEFORE_ANSWER}
    assert done == outcomes[ANSWERED] + 1
    late = [exchange for exchange in exchanges if exchange.fresh and exchange.begun > refused]
    assert late
    assert {exchange.outcome for exchange in late} == {REFUSED}
