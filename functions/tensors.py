"""The Open Inference Protocol's tensors: JSON and the binary tensor data extension.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
and https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import struct
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from functions.errors import Problem, Refusal

FLOAT, INTEGER, BOOLEAN, TEXT = "FP32", "INT64", "BOOL", "BYTES"
_DTYPES: dict[str, np.dtype[Any]] = {FLOAT: np.dtype("<f4"), INTEGER: np.dtype("<i8"), BOOLEAN: np.dtype("?")}
_LENGTH = struct.Struct("<I")
_MAX_DIGITS = 10

Array = NDArray[Any]


class InvalidInference(Problem):
    """An inference request does not follow the protocol or does not fit the model.

    `refused` counts the values that are out of bounds or missing.
    """

    status = HTTPStatus.BAD_REQUEST
    kind = "invalid-inference"
    refused: Mapping[Refusal, int] = MappingProxyType({})


class TensorParameters(msgspec.Struct):
    """What this service reads of a tensor's parameters."""

    binary_data_size: int | None = None
    binary_data: bool | None = None


class InputTensor(msgspec.Struct):
    """A tensor of the request; `data` is there unless its bytes follow the JSON."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = msgspec.Raw()
    parameters: TensorParameters | None = None


class RequestedOutput(msgspec.Struct):
    """An output that the client asks for."""

    name: str
    parameters: TensorParameters | None = None


class RequestParameters(msgspec.Struct):
    """What this service reads of a request's parameters."""

    binary_data_output: bool = False


class InferenceRequest(msgspec.Struct):
    """The JSON part of an inference request."""

    inputs: list[InputTensor]
    id: str | None = None
    parameters: RequestParameters | None = None
    outputs: list[RequestedOutput] | None = None


class OutputTensor(msgspec.Struct, omit_defaults=True):
    """A tensor of the answer."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None = None
    parameters: dict[str, int] | None = None


class InferenceAnswer(msgspec.Struct, omit_defaults=True):
    """The JSON part of an answer."""

    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | None = None


_request = msgspec.json.Decoder(InferenceRequest)
_flat = msgspec.json.Decoder(list[float])
_nested = msgspec.json.Decoder(list[list[float]])


def split_body(body: bytes, json_length: str | None) -> tuple[InferenceRequest, list[memoryview]]:
    """The JSON part of a body, and the bytes of each input in order (empty where its data is in the JSON).

    Raises:
        InvalidInference: the body does not follow the protocol.
    """
    end = len(body)
    if json_length is not None:
        if not json_length.isdecimal() or len(json_length) > _MAX_DIGITS or int(json_length) > len(body):
            raise InvalidInference(f"Inference-Header-Content-Length {json_length!r} is no length within the body")
        end = int(json_length)
    try:
        request = _request.decode(memoryview(body)[:end])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInference(f"the JSON part is no inference request: {error}") from None
    chunks, at = [], end
    for tensor in request.inputs:
        size = (tensor.parameters and tensor.parameters.binary_data_size) or 0
        if size < 0 or at + size > len(body):
            raise InvalidInference(f"input {tensor.name!r} has a binary_data_size of {size}, beyond the body's end")
        chunks.append(memoryview(body)[at : at + size])
        at += size
    if at != len(body):
        raise InvalidInference(f"{len(body) - at} bytes follow the last tensor")
    return request, chunks


def read_floats(tensor: InputTensor, chunk: memoryview) -> NDArray[np.float32]:
    """An FP32 tensor in its shape.

    Raises:
        InvalidInference: another datatype, or data that is not numbers or does not fill the shape.
    """
    if tensor.datatype != FLOAT:
        raise InvalidInference(f"input {tensor.name!r} has datatype {tensor.datatype}, the model takes {FLOAT}")
    if any(size < 0 for size in tensor.shape):
        raise InvalidInference(f"input {tensor.name!r} has a negative size in its shape {tensor.shape}")
    binary = tensor.parameters is not None and tensor.parameters.binary_data_size is not None
    if binary == bool(bytes(tensor.data)):
        raise InvalidInference(f"input {tensor.name!r} needs its data either in the JSON or after it")
    try:
        values = np.frombuffer(chunk, dtype=_DTYPES[FLOAT]) if binary else _json_floats(tensor)
        return values.reshape(tensor.shape)
    except (ValueError, OverflowError):
        raise InvalidInference(f"the data of input {tensor.name!r} does not fill its shape {tensor.shape}") from None


def _json_floats(tensor: InputTensor) -> NDArray[np.float32]:
    """The numbers of a tensor in JSON, flat or one list for each row; nothing but numbers is taken for one."""
    values: list[float] | list[list[float]]
    try:
        values = _flat.decode(tensor.data)
    except msgspec.DecodeError:
        try:
            values = _nested.decode(tensor.data)
        except msgspec.DecodeError:
            raise InvalidInference(f"the data of input {tensor.name!r} is not all numbers") from None
    with np.errstate(over="ignore"):
        return np.array(values, dtype=np.float32)


def pack_text(element: str) -> bytes:
    """One element of a BYTES tensor: its length in four bytes, then its UTF-8."""
    content = element.encode()
    return _LENGTH.pack(len(content)) + content


def in_json(name: str, datatype: str, values: Array) -> tuple[OutputTensor, bytes]:
    """An output with its data in the JSON, and no bytes after it."""
    return OutputTensor(name, datatype, list(values.shape), data=values.reshape(-1).tolist()), b""


def after_json(name: str, datatype: str, values: Array) -> tuple[OutputTensor, bytes]:
    """A numeric output and its bytes, which follow the JSON."""
    return _described(name, datatype, list(values.shape), values.astype(_DTYPES[datatype], copy=False).tobytes())


def text_after_json(name: str, packed: list[bytes]) -> tuple[OutputTensor, bytes]:
    """A BYTES output of packed elements and its bytes, which follow the JSON."""
    return _described(name, TEXT, [len(packed)], b"".join(packed))


def _described(name: str, datatype: str, shape: list[int], content: bytes) -> tuple[OutputTensor, bytes]:
    return OutputTensor(name, datatype, shape, parameters={"binary_data_size": len(content)}), content
