"""From a file's cells to a table that can be trained on, with every fault named by column and row."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from functions.bundle.metadata import FLOAT32_MAX, Label
from pipeline.errors import InvalidData
from pipeline.params import DataParams
from pipeline.source import Cells
from pipeline.table import Floats, Table

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""Cells of a feature that mean a missing value, in lower case."""

MISSING_LABELS = frozenset({"", "nan"})
"""Fewer than for features: "None" and "NA" may well be classes."""

# "007" is a code, not a number, and stays a string; so does what does not fit into 64 bits.
_INTEGER = re.compile(r"(0|-?[1-9][0-9]{0,17})(\.0+)?")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][+-]?[0-9]+)?")
_BOOLEAN = {"true": True, "false": False}


def check_table(cells: Cells, data: DataParams) -> Table:
    """Turn the cells of `data.source` into a table.

    Raises:
        InvalidData: at the first fault, with its column and row.
    """
    _check_header(cells.header, data)
    if not cells.rows:
        raise InvalidData(f"{data.source}: has a header but no rows")
    columns = dict(zip(cells.header, cells.columns, strict=True))
    features = [name for name in cells.header if name != data.target]
    values = np.column_stack([parse_feature(name, columns[name], cells.rows, data) for name in features])
    labels = parse_labels(columns[data.target], cells.rows, f"{data.source}: column {data.target!r}")
    _check_classes(labels, data)
    return Table(features=features, target=data.target, values=values, labels=labels, origins=cells.rows)


def parse_feature(name: str, cells: Sequence[Any], rows: Sequence[str], data: DataParams) -> Floats:
    """A feature's values, NaN where one is missing.

    Raises:
        InvalidData: a value is missing without an imputer, no finite float32, or outside its bounds.
    """
    low, high = data.bounds.get(name, (-FLOAT32_MAX, FLOAT32_MAX))
    values = np.empty(len(cells))
    for index, cell in enumerate(cells):
        where = f"{data.source}: column {name!r}, {rows[index]}"
        value = values[index] = parse_number(cell, where)
        if math.isnan(value):
            if data.impute is None:
                raise InvalidData(f"{where}: the value is missing; fill it in, drop the row, or set data.impute")
        elif math.isinf(value) or abs(value) > FLOAT32_MAX:
            raise InvalidData(f"{where}: {cell} is infinite or too large for the model (float32); correct it")
        elif not low <= value <= high:
            raise InvalidData(f"{where}: {cell} is outside data.bounds.{name} ({low:g} to {high:g}); correct either")
    if np.isnan(values).all():
        raise InvalidData(f"{data.source}: column {name!r} is empty; drop the column")
    return values


def parse_number(cell: Any, where: str) -> float:
    """A cell as a number, NaN where the value is missing; `where` names the cell.

    Raises:
        InvalidData: it is no number.
    """
    if cell is None:
        return math.nan
    if isinstance(cell, Real) and not isinstance(cell, bool):
        return float(cell)
    text = str(cell).strip()
    if text.lower() in MISSING:
        return math.nan
    try:
        # float() would also take 1_000
        return float(text.replace("_", "?"))
    except ValueError:
        raise InvalidData(
            f"{where}: {text!r} is no number; correct it, drop the column, or encode it as numbers first"
        ) from None


def parse_labels(cells: Sequence[Any], rows: Sequence[str], where: str) -> list[Label]:
    """Labels with the narrowest type that fits all of them: booleans, integers, else strings.

    1.0 counts as 1, since tools write so an integer column that once had a gap. Other decimal
    numbers are refused: they are measurements, not classes.

    Raises:
        InvalidData: a label is missing or a decimal number.
    """
    for cell, row in zip(cells, rows, strict=True):
        if cell is None or str(cell).strip().lower() in MISSING_LABELS:
            raise InvalidData(f"{where}, {row}: the label is missing; fill it in or drop the row")
    texts = [str(cell).strip() for cell in cells]
    if all(text.lower() in _BOOLEAN for text in texts):
        return [_BOOLEAN[text.lower()] for text in texts]
    if all(_INTEGER.fullmatch(text) for text in texts):
        return [int(text.partition(".")[0]) for text in texts]
    for text, row in zip(texts, rows, strict=True):
        if _DECIMAL.fullmatch(text):
            raise InvalidData(
                f"{where}, {row}: {text} is a decimal number, and classes are names, whole numbers or booleans; "
                "name another data.target, or give the classes names"
            )
    return list(texts)


def _check_header(header: list[str], data: DataParams) -> None:
    for position, name in enumerate(header, start=1):
        if not name:
            raise InvalidData(f"{data.source}: column {position} has no name; name it or drop it")
    for name, times in Counter(header).items():
        if times > 1:
            raise InvalidData(f"{data.source}: column {name!r} is there {times} times; rename or drop the others")
    known = f"its columns are {', '.join(map(repr, header))}"
    if data.target not in header:
        raise InvalidData(f"{data.source}: has no target column {data.target!r}; set data.target, {known}")
    if len(header) < 2:
        raise InvalidData(f"{data.source}: has no column beside the target {data.target!r}; add features")
    for name in data.bounds:
        if name not in header or name == data.target:
            raise InvalidData(f"data.bounds.{name} names no feature of {data.source}; remove or rename it, {known}")


def _check_classes(labels: list[Label], data: DataParams) -> None:
    where = f"{data.source}: column {data.target!r}"
    count = Counter(labels)
    if len(count) < 2:
        raise InvalidData(f"{where} has one class only, {labels[0]!r}; a classifier needs two or more")
    for label, rows in count.items():
        if rows < 2 * data.min_rows_per_class:
            raise InvalidData(
                f"{where} has {rows} rows of class {label!r}, too few for {data.min_rows_per_class} on each side of "
                "the split; add rows of that class, drop the class, or lower data.min_rows_per_class"
            )
