"""Group `batch`: rows/s of batches against onnxruntime in process; single rows beside batches."""

import json
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks import budgets, closed_loop, constant_rate
from benchmarks.effort import Effort
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure, Reference
from benchmarks.machine import Cores
from benchmarks.processes import Memory, memory, on_core, python, run_to_end
from benchmarks.requests import Post, binary_tensor, json_lists, json_objects, one_row, random_rows, read_metadata
from benchmarks.servers import Server, service_launch, serving
from functions.bundle.files import MODEL_FILE

GROUP = "batch"
SIZES = (10, 1_000, 10_000)
LISTS, OBJECTS, BINARY = "JSON, rows as lists", "JSON, rows as objects", "binary tensors"
HELD = {LISTS: budgets.JSON_ROWS, OBJECTS: budgets.JSON_ROWS, BINARY: budgets.BINARY_ROWS}
"""Budgets at the largest size."""

SINGLE_RATE = 100
"""Single predictions a second while batches run: far from what the server can do, so that only batches are felt."""

SINGLE_CONNECTIONS = 16


def measure(bundle: Path, cores: Cores, effort: Effort) -> list[Figure]:
    """All figures of the group."""
    model = read_metadata(bundle)
    rows = random_rows(model, max(SIZES))
    posts = {
        (kind, size): post
        for size in SIZES
        for kind, post in (
            (LISTS, json_lists(rows[:size])),
            (OBJECTS, json_objects(rows[:size], model.feature_names)),
            (BINARY, binary_tensor(rows[:size], model.name)),
        )
    }
    single = one_row(model)
    rates: dict[tuple[str, int], list[float]] = {key: [] for key in posts}
    references: dict[int, list[float]] = {size: [] for size in SIZES}
    beside: dict[str, list[float]] = {LISTS: [], BINARY: []}
    with (
        TemporaryDirectory(prefix="benchmark-") as folder,
        serving(service_launch(bundle, cores.server), single) as server,
    ):
        rows_file = Path(folder, "rows.npy")
        np.save(rows_file, rows)
        for kind in HELD:
            _batches(server, posts[kind, max(SIZES)], 1, cores)
        for _ in range(effort.rounds):
            for size, rate in _in_process(bundle / MODEL_FILE, rows_file, effort.batch_seconds, cores).items():
                references[size].append(rate)
            for (kind, size), post in posts.items():
                rates[kind, size].append(_batches(server, post, effort.batch_seconds, cores) * size)
            for kind, p99s in beside.items():
                p99s.append(_single_beside(server, single, posts[kind, max(SIZES)], effort.steady_seconds, cores))
        held = memory(server.pid)
    return [
        *rate_figures(rates, references),
        *beside_figures(beside, {kind: rates[kind, max(SIZES)] for kind in beside}),
        *_memory_figures(held),
    ]


def _batches(server: Server, post: Post, seconds: int, cores: Cores) -> float:
    """Batches a second on one connection."""
    authorised = server.launch.authorised(post)
    return closed_loop.drive(server.port, authorised, connections=1, seconds=seconds, core=cores.load).rate


def _in_process(model: Path, rows: Path, seconds: float, cores: Cores) -> dict[int, float]:
    """Rows a second of onnxruntime by rows in a call, on the server's core."""
    sizes = [str(size) for size in SIZES]
    arguments = ["--seconds", str(seconds), "onnxruntime", str(model), str(rows), *sizes]
    output = run_to_end(on_core(cores.server, *python("-m", "benchmarks.in_process", *arguments)))
    return {int(size): rate for size, rate in json.loads(output).items()}


def _single_beside(server: Server, single: Post, batch: Post, seconds: int, cores: Cores) -> float:
    """p99 in milliseconds of single predictions while another connection sends one batch after the other."""
    faults: list[BenchmarkError] = []

    def send_batches() -> None:
        try:
            _batches(server, batch, seconds + 2, cores)
        except BenchmarkError as error:
            faults.append(error)

    background = threading.Thread(target=send_batches)
    background.start()
    try:
        request = server.launch.authorised(single).raw(server.port)
        found = constant_rate.drive(
            server.port, request, rate=SINGLE_RATE, seconds=seconds, connections=SINGLE_CONNECTIONS, core=cores.load
        )
    finally:
        background.join()
    if faults:
        raise faults[0]
    return found.p99_ms


def rate_figures(rates: dict[tuple[str, int], list[float]], references: dict[int, list[float]]) -> list[Figure]:
    """Rows a second by kind and size, against onnxruntime on as many rows."""
    return [
        Figure(
            GROUP,
            f"{size:,} rows, {kind}",
            "rows/s",
            rounds,
            Reference("onnxruntime in process", references[size]),
            HELD[kind] if size == max(SIZES) else None,
        )
        for (kind, size), rounds in rates.items()
    ]


def beside_figures(p99s: dict[str, list[float]], rates: dict[str, list[float]]) -> list[Figure]:
    """p99 of single rows beside batches of a kind, against the time of one such batch alone."""
    figures = []
    for kind, rounds in p99s.items():
        alone = Reference("one such batch alone", [max(SIZES) / rate * 1e3 for rate in rates[kind]])
        name = f"one row while {max(SIZES):,}-row batches run ({kind}): p99"
        figures.append(Figure(GROUP, name, "ms", rounds, alone, budgets.SINGLE_BESIDE_BATCHES))
    return figures


def _memory_figures(held: Memory) -> list[Figure]:
    return [
        Figure(GROUP, f"memory after batches, {held.processes} processes: PSS", "MB", [held.proportional]),
        Figure(GROUP, f"memory after batches, {held.processes} processes: RSS", "MB", [held.resident]),
    ]
