"""Load at a constant rate: requests are due at fixed times, whether the server keeps up or not.

`python -m benchmarks.constant_rate` is the generator, run by `drive` on the load's core. Request i is
due at start + i / rate. Its latency counts from when it was due, not from when it was sent, so time
that it waits for a free connection, or for the generator, counts against the server (no coordinated
omission). The generator polls without sleeping when a request is due within SPIN_SECONDS; how late
it sent (`lag`) is reported beside the latency, because a generator that is late measures itself.

Why not the usual tools: autocannon's -R sends each second's requests in one burst and then pauses,
and corrects its histogram afterwards with made-up samples; wrk has no rate.
"""

import argparse
import gc
import json
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from benchmarks.errors import BenchmarkError
from benchmarks.samples import percentile

SPIN_SECONDS = 0.002
GRACE_SECONDS = 10
"""After the last request was due; what is unanswered then has failed."""

_RECEIVE_BYTES = 1 << 16


@dataclass(frozen=True)
class ConstantRate:
    """What a constant rate measured. Milliseconds."""

    requests: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    lag_p99_ms: float
    """How late requests were sent, 99 of 100."""


def drive(port: int, request: bytes, *, rate: int, seconds: int, connections: int, core: int) -> ConstantRate:
    """Send the raw `request` `rate` times a second over `connections` connections, from `core`.

    Raises:
        BenchmarkError: a request failed, was answered with an error, or was not answered in time.
    """
    # imported here: the generator's own process has no use for them
    from benchmarks.processes import on_core, python, run_to_end

    with NamedTemporaryFile(prefix="benchmark-") as file:
        file.write(request)
        file.flush()
        numbers = [str(number) for number in (port, rate, seconds, connections)]
        command = on_core(core, *python("-m", "benchmarks.constant_rate", *numbers, file.name))
        return ConstantRate(**json.loads(run_to_end(command, seconds=seconds + 60)))


class Connection:
    """A connection that carries one request at a time."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.due = 0.0
        self._received = b""

    def send(self, request: bytes, due: float) -> None:
        """Send a request that was due at `due`; it is small enough to go at once."""
        self.due = due
        if self.socket.send(request) != len(request):
            raise BenchmarkError("the request does not fit the socket's buffer; a constant rate takes small ones")

    def receive(self) -> bool:
        """Take what has come; whether the answer is complete.

        Raises:
            BenchmarkError: the connection was closed or the answer is not 200.
        """
        chunk = self.socket.recv(_RECEIVE_BYTES)
        if not chunk:
            raise BenchmarkError("the server closed a connection")
        self._received += chunk
        size = answer_size(self._received)
        if size is None or len(self._received) < size:
            return False
        if not self._received.startswith(b"HTTP/1.1 200 "):
            raise BenchmarkError(f"the server answered {self._received[:300]!r}")
        self._received = self._received[size:]
        return True


def answer_size(received: bytes) -> int | None:
    """Bytes of the HTTP answer that starts `received`, None as long as its headers are not complete.

    Raises:
        BenchmarkError: the answer does not say its length.
    """
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    for line in received[:end].lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return end + 4 + int(line.partition(b":")[2])
    raise BenchmarkError("the answer has no Content-Length")


def generate(
    port: int, request: bytes, *, rate: int, seconds: int, connections: int
) -> tuple[Sequence[float], Sequence[float]]:
    """Send the load; latencies and lags of its requests, in seconds.

    Raises:
        BenchmarkError: a request failed or was not answered in time.
    """
    with ExitStack() as opened:
        made = [Connection(port) for _ in range(connections)]
        for connection in made:
            opened.enter_context(connection.socket)
        return _run_schedule(opened.enter_context(select.epoll()), made, request, rate=rate, seconds=seconds)


def _run_schedule(
    poll: select.epoll, connections: Sequence[Connection], request: bytes, *, rate: int, seconds: int
) -> tuple[Sequence[float], Sequence[float]]:
    by_number = {connection.socket.fileno(): connection for connection in connections}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    idle = deque(by_number.values())
    overdue: deque[float] = deque()
    latencies: list[float] = []
    lags: list[float] = []
    total, scheduled, clock = rate * seconds, 0, time.perf_counter

    def send(connection: Connection, due: float) -> None:
        lags.append(clock() - due)
        connection.send(request, due)

    start = clock() + 0.1
    deadline = start + seconds + GRACE_SECONDS
    while len(latencies) < total:
        now = clock()
        if now > deadline:
            raise BenchmarkError(f"{total - len(latencies)} of {total} requests at {rate}/s are not answered")
        while scheduled < total and start + scheduled / rate <= now:
            due = start + scheduled / rate
            scheduled += 1
            if idle:
                send(idle.popleft(), due)
            else:
                overdue.append(due)
        gap = start + scheduled / rate - now if scheduled < total else 1.0
        for number, _ in poll.poll(max(0.0, gap - SPIN_SECONDS) if gap > SPIN_SECONDS else 0):
            connection = by_number[number]
            if not connection.receive():
                continue
            latencies.append(clock() - connection.due)
            if overdue:
                send(connection, overdue.popleft())
            else:
                idle.append(connection)
    return latencies, lags


def summarise(latencies: Sequence[float], lags: Sequence[float]) -> ConstantRate:
    """The figures of latencies and lags in seconds."""
    return ConstantRate(
        requests=len(latencies),
        p50_ms=percentile(latencies, 50) * 1e3,
        p99_ms=percentile(latencies, 99) * 1e3,
        max_ms=max(latencies) * 1e3,
        lag_p99_ms=percentile(lags, 99) * 1e3,
    )


def main() -> None:
    """Generate the load that the arguments describe, and print its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name in ("port", "rate", "seconds", "connections"):
        parser.add_argument(name, type=int)
    parser.add_argument("request", type=Path, help="file with the raw HTTP request")
    given = parser.parse_args()
    gc.disable()
    try:
        found = generate(
            given.port,
            given.request.read_bytes(),
            rate=given.rate,
            seconds=given.seconds,
            connections=given.connections,
        )
    except (BenchmarkError, OSError) as error:
        raise SystemExit(f"constant rate: {error}") from None
    print(json.dumps(asdict(summarise(*found))))


if __name__ == "__main__":
    main()
