"""`python -m benchmarks.session_options`: what onnxruntime's session options are worth for the model in models/.

Each combination runs in a process of its own, three times, in turns; the table shows the medians.
"""

import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import ROOT
from functions.bundle.files import METADATA_FILE, MODEL_FILE, read_metadata
from functions.bundle.runtime import INPUT, PROBABILITIES

THREADS = (1, 2)
OPTIMISATIONS = ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL")
ARENAS = (True, False)
REPEATS = 3
CALLS = {1: 3000, 10_000: 30}
"""Rows of a call, and how many such calls are timed."""

_COLUMNS = ("load, ms", "1 row, us", "10,000 rows, ms", "resident, MB")


def main() -> None:
    """Print the table, or, with a combination as arguments, measure that one and print its figures as JSON."""
    if len(sys.argv) > 1:
        threads, optimisation, arena = json.loads(sys.argv[1])
        print(json.dumps(measure(ROOT / "models", threads, optimisation, arena=arena)))
        return
    combinations = list(itertools.product(THREADS, OPTIMISATIONS, ARENAS))
    found: dict[tuple[int, str, bool], list[list[float]]] = {combination: [] for combination in combinations}
    for _ in range(REPEATS):
        for combination in combinations:
            command = [sys.executable, "-m", "benchmarks.session_options", json.dumps(combination)]
            result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            found[combination].append(json.loads(result.stdout))
    print(f"| threads | optimisation | arena | {' | '.join(_COLUMNS)} |")
    print("| --: | :-- | :-- |" + " --: |" * len(_COLUMNS))
    for (threads, optimisation, arena), rounds in found.items():
        medians = " | ".join(f"{statistics.median(column):.1f}" for column in zip(*rounds, strict=True))
        print(f"| {threads} | `{optimisation}` | {'on' if arena else 'off'} | {medians} |")


def measure(bundle: Path, threads: int, optimisation: str, *, arena: bool) -> list[float]:
    """Load time in ms, time of a call of one row in us and of 10,000 in ms, resident memory in MB."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, optimisation)
    options.enable_cpu_mem_arena = arena
    model = (bundle / MODEL_FILE).read_bytes()
    started = time.perf_counter()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    load = time.perf_counter() - started
    bounds = np.array([feature.bounds for feature in read_metadata(bundle / METADATA_FILE).features])
    generator = np.random.default_rng(0)
    medians = []
    for rows, calls in CALLS.items():
        values = generator.uniform(bounds[:, 0], bounds[:, 1], (rows, len(bounds))).astype(np.float32)
        times = []
        for _ in range(calls):
            started = time.perf_counter()
            session.run([PROBABILITIES], {INPUT: values})
            times.append(time.perf_counter() - started)
        medians.append(statistics.median(times))
    one, many = medians
    return [load * 1e3, one * 1e6, many * 1e3, resident_mb()]


def resident_mb() -> float:
    """Resident memory of this process, in 10^6 bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    main()
