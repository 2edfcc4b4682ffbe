"""Group `service`: one-row predictions with everything on, against the bare handler; steady rate; memory."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import budgets, closed_loop, constant_rate
from benchmarks.closed_loop import ClosedLoop
from benchmarks.effort import Effort
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure, Reference
from benchmarks.machine import Cores
from benchmarks.processes import Memory, memory, on_core, python, run_to_end
from benchmarks.requests import Post, one_row, read_metadata
from benchmarks.servers import (
    LIMIT,
    Server,
    ask,
    bare_launch,
    counted_predictions,
    logged_requests,
    remaining_of_limit,
    service_launch,
    serving,
)

GROUP = "service"
BARE = "bare Flask handler"
CONNECTIONS = (1, 16)
STEADY_RATE = 1000
STEADY_CONNECTIONS = 16


@dataclass(frozen=True)
class Pair:
    """One round of the service and one of the bare handler, taken one right after the other."""

    service: ClosedLoop
    bare: ClosedLoop


def measure(bundle: Path, cores: Cores, effort: Effort) -> list[Figure]:
    """All figures of the group."""
    post = one_row(read_metadata(bundle))
    with (
        serving(bare_launch(cores.server), post) as bare,
        serving(service_launch(bundle, cores.server), post) as service,
    ):
        for server in (bare, service):
            _closed_loop(server, post, max(CONNECTIONS), effort.warm_up_seconds, cores)
        pairs: dict[int, list[Pair]] = {connections: [] for connections in CONNECTIONS}
        steady = []
        for number in range(effort.rounds):
            for connections in CONNECTIONS:
                pairs[connections].append(_pair(bare, service, post, connections, effort.load_seconds, cores, number))
            steady.append(_steady(service, post, effort.steady_seconds, cores))
        while counted_predictions(service) < effort.predictions:
            _closed_loop(service, post, max(CONNECTIONS), 1, cores)
        require_everything_on(service, post)
        held = memory(service.pid)
        predictions = counted_predictions(service)
    figures = [figure for connections in CONNECTIONS for figure in _load_figures(connections, pairs[connections])]
    figures += steady_figures(steady)
    figures += memory_figures(held, predictions)
    if effort.scikit_learn:
        figures.append(_against_scikit_learn([pair.service.rate for pair in pairs[1]], cores))
    return figures


def require_everything_on(service: Server, post: Post) -> None:
    """Check that each request was really limited, counted and logged.

    Raises:
        BenchmarkError: something of it is off, so its cost was not measured.
    """
    authorised = service.launch.authorised(post)
    first, second = (remaining_of_limit(ask(service.port, authorised)) for _ in range(2))
    # a new minute may begin between the two
    if not first < LIMIT or (second >= first and second != LIMIT - 1):
        raise BenchmarkError("the limit does not count")
    counted, logged = counted_predictions(service), logged_requests(service)
    # /metrics itself is logged too
    if logged < counted:
        raise BenchmarkError(f"{counted} predictions were counted, {logged} requests logged")
    if b" 401 " not in ask(service.port, post).partition(b"\r\n")[0]:
        raise BenchmarkError("the service answers without a key")


def _closed_loop(server: Server, post: Post, connections: int, seconds: int, cores: Cores) -> ClosedLoop:
    authorised = server.launch.authorised(post)
    return closed_loop.drive(server.port, authorised, connections=connections, seconds=seconds, core=cores.load)


def _pair(bare: Server, service: Server, post: Post, connections: int, seconds: int, cores: Cores, number: int) -> Pair:
    """One round; the one that goes first changes from round to round."""
    order = (bare, service) if number % 2 == 0 else (service, bare)
    found = {server.port: _closed_loop(server, post, connections, seconds, cores) for server in order}
    return Pair(service=found[service.port], bare=found[bare.port])


def _steady(service: Server, post: Post, seconds: int, cores: Cores) -> constant_rate.ConstantRate:
    request = service.launch.authorised(post).raw(service.port)
    return constant_rate.drive(
        service.port, request, rate=STEADY_RATE, seconds=seconds, connections=STEADY_CONNECTIONS, core=cores.load
    )


def _load_figures(connections: int, pairs: list[Pair]) -> list[Figure]:
    def figure(
        name: str, unit: str, read: Callable[[ClosedLoop], float], budget: budgets.Budget | None = None
    ) -> Figure:
        what = f"/predict, one row, {connections} connection{'s' if connections > 1 else ''}: {name}"
        reference = Reference(BARE, [read(pair.bare) for pair in pairs])
        return Figure(GROUP, what, unit, [read(pair.service) for pair in pairs], reference, budget)

    return [
        figure("rate", "requests/s", lambda loop: loop.rate, budgets.REQUEST_RATE),
        figure("p50", "ms", lambda loop: loop.p50_ms),
        figure("p99", "ms", lambda loop: loop.p99_ms),
    ]


def steady_figures(rounds: list[constant_rate.ConstantRate]) -> list[Figure]:
    """Latency at the steady rate, and how late the generator itself was."""
    name = f"/predict, steady {STEADY_RATE:,} requests/s"
    return [
        Figure(GROUP, f"{name}: p50", "ms", [found.p50_ms for found in rounds]),
        Figure(GROUP, f"{name}: p99", "ms", [found.p99_ms for found in rounds], budget=budgets.STEADY_P99_MS),
        Figure(GROUP, f"{name}: generator's lag, p99", "ms", [found.lag_p99_ms for found in rounds]),
    ]


def memory_figures(held: Memory, predictions: int) -> list[Figure]:
    """Memory of all processes; the budget bounds the larger of both ways to count."""
    what = f"memory after {predictions:,} predictions, {held.processes} processes"
    return [
        Figure(GROUP, f"{what}: PSS", "MB", [held.proportional]),
        Figure(GROUP, f"{what}: RSS", "MB", [held.resident], budget=budgets.MEMORY_MB),
    ]


def _against_scikit_learn(rates: list[float], cores: Cores) -> Figure:
    output = run_to_end(on_core(cores.server, *python("-m", "benchmarks.in_process", "scikit-learn")))
    rate = float(json.loads(output)["1"])
    reference = Reference("scikit-learn in process", [rate] * len(rates))
    return Figure(GROUP, "/predict, one row, 1 connection: against calling the model", "rows/s", rates, reference)
