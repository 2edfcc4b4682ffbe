"""The requests of the load, as the bundle's features have them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import BenchmarkError
from functions.bundle.files import BundleError, read_bundle
from functions.bundle.metadata import Metadata
from functions.bundle.runtime import INPUT

DECIMALS = 2
SEED = 0
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Post:
    """A POST request to a path of the server."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self, port: int) -> bytes:
        """The request as it goes over a connection that stays open."""
        headers = {"Host": f"127.0.0.1:{port}", **self.headers, "Content-Length": str(len(self.body))}
        lines = [f"POST {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def read_metadata(folder: Path) -> Metadata:
    """The metadata of the bundle to serve.

    Raises:
        BenchmarkError: there is no usable bundle.
    """
    try:
        return read_bundle(folder).metadata
    except BundleError as error:
        raise BenchmarkError(f"{error}; train a model with `make train`, or name one with --model-dir") from None


def random_rows(model: Metadata, count: int) -> NDArray[np.float32]:
    """Rows [count, features], drawn from the range that each feature had in training."""
    edges = [feature.reference.edges for feature in model.features]
    lows, highs = [low[0] for low in edges], [high[-1] for high in edges]
    drawn = np.random.default_rng(SEED).uniform(lows, highs, (count, len(edges)))
    bounds = np.array([feature.bounds for feature in model.features]).T
    rows: NDArray[np.float32] = drawn.round(DECIMALS).clip(*bounds).astype(np.float32)
    return rows


def one_row(model: Metadata) -> Post:
    """`POST /predict` with one row, the model's first golden example."""
    return Post("/predict", _dumps(model.golden_examples[0].instance), _JSON)


def json_lists(rows: NDArray[np.float32]) -> Post:
    """`POST /predict` with each row as a list."""
    return Post("/predict", _dumps({"instances": _numbers(rows)}), _JSON)


def json_objects(rows: NDArray[np.float32], names: list[str]) -> Post:
    """`POST /predict` with each row as an object."""
    instances = [dict(zip(names, row, strict=True)) for row in _numbers(rows)]
    return Post("/predict", _dumps({"instances": instances}), _JSON)


def binary_tensor(rows: NDArray[np.float32], model_name: str) -> Post:
    """Open Inference Protocol request with the rows as one binary tensor, and binary outputs asked for."""
    content = rows.astype("<f4").tobytes()
    tensor = {
        "name": INPUT,
        "shape": list(rows.shape),
        "datatype": "FP32",
        "parameters": {"binary_data_size": len(content)},
    }
    head = _dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return Post(f"/v2/models/{model_name}/infer", head + content, headers)


def _numbers(rows: NDArray[np.float32]) -> list[list[float]]:
    numbers: list[list[float]] = rows.astype(np.float64).round(DECIMALS).tolist()
    return numbers


def _dumps(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
