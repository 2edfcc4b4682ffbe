"""Open Inference Protocol requests and answers for one model."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from functions.bundle.metadata import Metadata
from functions.bundle.runtime import INPUT, PROBABILITIES
from functions.errors import MISSING, OUT_OF_BOUNDS, Refusal
from functions.tensors import (
    BOOLEAN,
    FLOAT,
    INTEGER,
    TEXT,
    Array,
    InferenceAnswer,
    InferenceRequest,
    InvalidInference,
    OutputTensor,
    RequestedOutput,
    after_json,
    in_json,
    pack_text,
    read_floats,
    text_after_json,
)

PLATFORM = "onnxruntime_onnx"
LABEL = "label"
OUTPUTS = (LABEL, PROBABILITIES)

Floats = NDArray[np.float32]


class TensorInterface:
    """A model's inputs and outputs as tensors: rows in, labels and probabilities out."""

    def __init__(self, model: Metadata, max_rows: int) -> None:
        """Take rows as one tensor `input` or as one tensor for each feature of `model`."""
        features, labels = model.features, model.target_names
        self.name = model.name
        self.version = model.version
        self._features = features
        self._names = model.feature_names
        self._lows = np.array([feature.bounds[0] for feature in features], dtype=np.float32)
        self._highs = np.array([feature.bounds[1] for feature in features], dtype=np.float32)
        self._nullable = np.array([feature.nullable for feature in features])
        self._label_type = BOOLEAN if isinstance(labels[0], bool) else INTEGER if isinstance(labels[0], int) else TEXT
        self._labels: Array = np.array(model.target_keys if self._label_type == TEXT else labels)
        self._packed = list(map(pack_text, model.target_keys))
        self._max_rows = max_rows

    def metadata(self) -> dict[str, Any]:
        """The protocol's model metadata."""
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": PLATFORM,
            "inputs": [{"name": INPUT, "datatype": FLOAT, "shape": [-1, len(self._features)]}],
            "outputs": [
                {"name": LABEL, "datatype": self._label_type, "shape": [-1]},
                {"name": PROBABILITIES, "datatype": FLOAT, "shape": [-1, len(self._labels)]},
            ],
        }

    def rows(self, request: InferenceRequest, chunks: list[memoryview]) -> Floats:
        """The rows of a request, within the features' bounds.

        Raises:
            InvalidInference: wrong inputs, shapes or datatypes, too many rows, or a value out of bounds.
        """
        tensors = {
            tensor.name: read_floats(tensor, chunk) for tensor, chunk in zip(request.inputs, chunks, strict=True)
        }
        if len(tensors) != len(request.inputs):
            raise InvalidInference("an input is given twice")
        if list(tensors) == [INPUT] and self._names != [INPUT]:
            rows = tensors[INPUT]
        elif set(tensors) == set(self._names):
            rows = self._joined(tensors)
        else:
            given, features = ", ".join(tensors) or "none", ", ".join(self._names)
            raise InvalidInference(f"the inputs are {given}; send {INPUT}, or one for each of {features}")
        if rows.ndim != 2 or rows.shape[1] != len(self._names):
            raise InvalidInference(f"the shape is {list(rows.shape)}, the model takes [-1, {len(self._names)}]")
        if not 1 <= len(rows) <= self._max_rows:
            raise InvalidInference(f"{len(rows)} rows are not between 1 and {self._max_rows}")
        self._check_bounds(rows)
        return rows

    def answer(self, request: InferenceRequest, classes: Array, probabilities: Floats) -> tuple[bytes, int | None]:
        """The body of the answer, and the length of its JSON part when binary tensors follow.

        Raises:
            InvalidInference: an output is asked for that the model has not.
        """
        by_default = request.parameters is not None and request.parameters.binary_data_output
        outputs, contents = [], []
        for requested in request.outputs or [RequestedOutput(name) for name in OUTPUTS]:
            asked = requested.parameters.binary_data if requested.parameters else None
            binary = by_default if asked is None else asked
            if requested.name == PROBABILITIES:
                tensor, content = (after_json if binary else in_json)(PROBABILITIES, FLOAT, probabilities)
            elif requested.name == LABEL:
                tensor, content = self._label_output(classes, binary=binary)
            else:
                raise InvalidInference(f"there is no output {requested.name!r}; the outputs are {', '.join(OUTPUTS)}")
            outputs.append(tensor)
            contents.append(content)
        head = msgspec.json.encode(InferenceAnswer(self.name, self.version, outputs, request.id))
        if any(tensor.parameters for tensor in outputs):
            return b"".join([head, *contents]), len(head)
        return head, None

    def _label_output(self, classes: Array, *, binary: bool) -> tuple[OutputTensor, bytes]:
        if binary and self._label_type == TEXT:
            return text_after_json(LABEL, list(map(self._packed.__getitem__, classes.tolist())))
        return (after_json if binary else in_json)(LABEL, self._label_type, self._labels[classes])

    def _joined(self, tensors: dict[str, Floats]) -> Floats:
        columns = [tensors[name] for name in self._names]
        size = columns[0].size
        for name, column in zip(self._names, columns, strict=True):
            if column.shape not in {(size,), (size, 1)}:
                shape = list(column.shape)
                raise InvalidInference(f"input {name!r} has shape {shape}; every feature takes [n] or [n, 1]")
        return np.stack([column.reshape(-1) for column in columns], axis=1)

    def _check_bounds(self, rows: Floats) -> None:
        valid = (rows >= self._lows) & (rows <= self._highs)
        if self._nullable.any():
            valid |= np.isnan(rows) & self._nullable
        if valid.all():
            return
        row, column = np.argwhere(~valid)[0].tolist()
        low, high = self._features[column].bounds
        invalid = InvalidInference(
            f"row {row}, feature {self._names[column]!r}: {rows[row, column]:g} is not between {low:g} and {high:g}"
            f" ({int((~valid).sum())} such values in all)"
        )
        invalid.refused = self._refused(~valid, np.isnan(rows))
        raise invalid

    def _refused(self, invalid: NDArray[np.bool_], missing: NDArray[np.bool_]) -> dict[Refusal, int]:
        by_reason = ((MISSING, invalid & missing), (OUT_OF_BOUNDS, invalid & ~missing))
        return {
            Refusal(name, reason): count
            for reason, which in by_reason
            for name, count in zip(self._names, which.sum(axis=0).tolist(), strict=True)
            if count
        }
