"""Request bodies to rows: decoding and validation against the model's features.

A valid body is decoded straight into typed structures, bounds included, by msgspec. Only a body
that fails is looked at again, value by value, to name every fault.
"""

import math
from collections import Counter
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from functions.bundle.metadata import Feature
from functions.errors import MISSING, OUT_OF_BOUNDS, Fault, InvalidInstances, MalformedRequest, Refusal, TooLarge
from functions.records import record_type

INSTANCES = "instances"
MAX_FAULTS = 20
"""Faults that one answer names at most; the detail counts the rest."""

Floats = NDArray[np.float32]


class Rows(NamedTuple):
    """Decoded rows, and whether they came as `instances`."""

    values: Floats
    batch: bool


class InstanceDecoder:
    """Decodes the bodies of /predict for one model."""

    def __init__(self, features: list[Feature], max_rows: int) -> None:
        """Build the decoders for `features`, in the order of the model's columns."""
        self._features = features
        self._max_rows = max_rows
        types: list[Any] = [_value_type(feature) for feature in features]
        row = record_type("Row", [feature.name for feature in features], types, forbid_unknown_fields=True)
        # Without such a structure the rows are read value by value.
        self._unusual = row is None
        batch: Any = msgspec.defstruct(
            "Batch",
            [(INSTANCES, list[(row or Any) | tuple[tuple(types)]]), ("parameters", Any, None)],  # type: ignore[misc]
            forbid_unknown_fields=True,
        )
        self._row = msgspec.json.Decoder(row or Any)
        self._batch = msgspec.json.Decoder(batch)
        self._marker = b'"%s"' % INSTANCES.encode()

    def decode(self, body: bytes) -> Rows:
        """The rows of a body: one object of features, or `{"instances": [...]}` of objects or lists.

        Raises:
            MalformedRequest: the body is no JSON.
            InvalidInstances: it does not fit the features; names every fault up to MAX_FAULTS.
            TooLarge: more rows than allowed.
        """
        if self._unusual:
            return self._explain(body)
        try:
            if self._marker in body:
                return self._rows(self._batch.decode(body).instances)
            return Rows(np.array([msgspec.structs.astuple(self._row.decode(body))], dtype=np.float32), batch=False)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._explain(body)

    def _rows(self, instances: list[Any]) -> Rows:
        if len(instances) > self._max_rows:
            raise TooLarge(f"{len(instances)} instances are more than the {self._max_rows} that one request may have")
        if not instances:
            raise InvalidInstances("there are no instances", [Fault(INSTANCES, "must have at least one row")])
        astuple = msgspec.structs.astuple
        values = [row if type(row) is tuple else astuple(row) for row in instances]
        return Rows(np.array(values, dtype=np.float32), batch=True)

    def _explain(self, body: bytes) -> Rows:
        """Name the faults of a body that did not decode; a body spelled in another way may still be valid."""
        try:
            content = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedRequest(f"the body is no valid JSON: {error}") from None
        except RecursionError:
            raise MalformedRequest("the body is nested too deeply") from None
        names = [feature.name for feature in self._features]
        # A feature may be called `instances` too, but no number is a list.
        if (
            isinstance(content, dict)
            and INSTANCES in content
            and (INSTANCES not in names or isinstance(content[INSTANCES], list))
        ):
            return self._explain_batch(content)
        return Rows(self._explain_rows([(content, "")]), batch=False)

    def _explain_batch(self, content: dict[str, Any]) -> Rows:
        instances = content[INSTANCES]
        unknown = [Fault(name, "is not known") for name in content if name not in (INSTANCES, "parameters")]
        if not isinstance(instances, list):
            unknown.append(Fault(INSTANCES, "must be a list of rows"))
        if unknown:
            raise _invalid(unknown)
        if len(instances) > self._max_rows or not instances:
            return self._rows(instances)
        return Rows(self._explain_rows([(row, f"{INSTANCES}[{i}]") for i, row in enumerate(instances)]), batch=True)

    def _explain_rows(self, rows: list[tuple[Any, str]]) -> Floats:
        faults: list[Fault] = []
        refused: Counter[Refusal] = Counter()
        values = []
        for row, path in rows:
            cells = self._cells(row, path, faults, refused)
            values.append([math.nan if cell is None else cell for cell in cells])
        if faults:
            invalid = _invalid(faults)
            invalid.refused = refused
            raise invalid
        return np.array(values, dtype=np.float32)

    def _cells(self, row: Any, path: str, faults: list[Fault], refused: Counter[Refusal]) -> list[Any]:
        """The row's values in the model's order; appends what is wrong to `faults`, and counts it in `refused`."""
        features = self._features
        if isinstance(row, list) and path:
            if len(row) != len(features):
                faults.append(Fault(path, f"has {len(row)} values, the model has {len(features)} features"))
                return []
            named = [(f"{path}[{index}]", value) for index, value in enumerate(row)]
        elif isinstance(row, dict):
            prefix = f"{path}." if path else ""
            known = {feature.name for feature in features}
            faults += [Fault(f"{prefix}{name}", "is not a feature of the model") for name in row if name not in known]
            missing = [feature.name for feature in features if feature.name not in row]
            faults += [Fault(f"{prefix}{name}", "is missing") for name in missing]
            refused.update(Refusal(name, MISSING) for name in missing)
            if missing:
                features = [feature for feature in features if feature.name in row]
            named = [(f"{prefix}{feature.name}", row[feature.name]) for feature in features]
        else:
            faults.append(Fault(path, "must be an object of the model's features" + (" or a list" if path else "")))
            return []
        for feature, (where, value) in zip(features, named, strict=True):
            fault = _value_fault(feature, value)
            if fault:
                faults.append(Fault(where, fault))
                if value is None or _is_number(value):
                    refused[Refusal(feature.name, MISSING if value is None else OUT_OF_BOUNDS)] += 1
        return [value for _, value in named]


def _value_type(feature: Feature) -> Any:
    low, high = feature.bounds
    kind = Annotated[float, msgspec.Meta(ge=low, le=high)]
    return kind | None if feature.nullable else kind


def _value_fault(feature: Feature, value: Any) -> str | None:
    if value is None:
        return None if feature.nullable else "must be a number, not null"
    if not _is_number(value):
        return f"must be a number, not {_json_type(value)}"
    low, high = feature.bounds
    return None if low <= value <= high else f"must be between {low:g} and {high:g}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _json_type(value: Any) -> str:
    names: dict[type, str] = {bool: "a boolean", str: "a string", list: "a list", dict: "an object"}
    return names[type(value)]


def _invalid(faults: list[Fault]) -> InvalidInstances:
    fields = ", ".join(fault.field or "the body" for fault in faults[:3])
    count = len(faults)
    detail = f"{count} {'fault' if count == 1 else 'faults'}: {fields}{', ...' if count > 3 else ''}"
    if count > MAX_FAULTS:
        detail += f"; the first {MAX_FAULTS} are listed"
    return InvalidInstances(detail, faults[:MAX_FAULTS])
