"""Models called in process, without any server: `python -m benchmarks.in_process` prints rows/s as JSON.

onnxruntime runs the bundle's model on one thread with its defaults; scikit-learn runs the forest of
`benchmarks.one_script`, one row at a time.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.machine import ROOT


def rows_per_second(call: Callable[[], object], rows: int, seconds: float) -> float:
    """How many rows a second `call` gets through, which takes `rows` at once; called once before, then for a while."""
    call()
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        call()
        calls += 1
    return calls * rows / elapsed


def onnxruntime_rates(model: Path, rows_file: Path, sizes: list[int], seconds: float) -> dict[int, float]:
    """Rows a second by rows in a call."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import numpy as np
    import onnxruntime

    rows = np.load(rows_file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    rates = {}
    for size in sizes:
        feed = {name: rows[:size]}
        rates[size] = rows_per_second(lambda feed=feed: session.run(None, feed), size, seconds)  # type: ignore[misc]
    return rates


def scikit_learn_rates(seconds: float) -> dict[int, float]:
    """Rows a second, one row in a call."""
    from benchmarks.one_script import fit, load, read_params

    params = read_params(ROOT / "params.yaml")
    features, target = load(params, ROOT)
    values = features.to_numpy(dtype="float32")
    model = fit(params, values, target)
    row = values[:1]
    return {1: rows_per_second(lambda: model.predict_proba(row), 1, seconds)}


def main() -> None:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(description="rows/s of a model called in process")
    kinds = parser.add_subparsers(dest="kind", required=True)
    onnx = kinds.add_parser("onnxruntime")
    onnx.add_argument("model", type=Path)
    onnx.add_argument("rows", type=Path, help="array of rows, as numpy.save writes it")
    onnx.add_argument("sizes", type=int, nargs="+", help="rows in a call")
    kinds.add_parser("scikit-learn")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each size")
    given = parser.parse_args()
    try:
        if given.kind == "onnxruntime":
            rates = onnxruntime_rates(given.model, given.rows, given.sizes, given.seconds)
        else:
            rates = scikit_learn_rates(given.seconds)
    except BenchmarkError as error:
        raise SystemExit(str(error)) from None
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
