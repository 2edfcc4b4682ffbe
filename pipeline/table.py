"""Labelled rows in memory, and their canonical form on disk: train.csv, test.csv, schema.json."""

import csv
import hashlib
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from functions.bundle.files import encode
from functions.bundle.metadata import Label
from pipeline.errors import InvalidData

TRAIN_FILE = "train.csv"
TEST_FILE = "test.csv"
SCHEMA_FILE = "schema.json"

Floats = NDArray[np.float64]
LabelKind = Literal["boolean", "integer", "string"]


@dataclass(frozen=True)
class Table:
    """Rows with their labels.

    `values` is [rows, features] with NaN where a value is missing; `origins` says where each row
    stood in the source, to name it in a message.
    """

    features: list[str]
    target: str
    values: Floats
    labels: list[Label]
    origins: list[str]

    def select(self, chosen: NDArray[np.bool_]) -> "Table":
        """The rows where `chosen` is true, in their order."""
        where = np.flatnonzero(chosen)
        return Table(
            features=self.features,
            target=self.target,
            values=self.values[where],
            labels=[self.labels[row] for row in where],
            origins=[self.origins[row] for row in where],
        )

    def classes(self) -> list[Label]:
        """The distinct labels, ascending: the order of a classifier's probabilities."""
        return sorted(set(self.labels))


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """What a CSV file can't say about the processed data: the type of the labels."""

    features: list[str]
    target: str
    label_kind: LabelKind


def kind_of(labels: Sequence[Label]) -> LabelKind:
    """The one type that all labels of a table have."""
    if isinstance(labels[0], bool):
        return "boolean"
    return "integer" if isinstance(labels[0], int) else "string"


def encode_csv(table: Table) -> bytes:
    """Rows as CSV. Floats are written so that reading gives the same float64; a missing value is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*table.features, table.target])
    for values, label in zip(table.values.tolist(), table.labels, strict=True):
        writer.writerow([*("" if math.isnan(value) else repr(value) for value in values), label])
    return text.getvalue().encode()


def write_split(folder: Path, train: Table, test: Table) -> None:
    """Write train.csv, test.csv and schema.json."""
    folder.mkdir(parents=True, exist_ok=True)
    schema = Schema(features=train.features, target=train.target, label_kind=kind_of(train.labels))
    (folder / SCHEMA_FILE).write_bytes(encode(schema))
    (folder / TRAIN_FILE).write_bytes(encode_csv(train))
    (folder / TEST_FILE).write_bytes(encode_csv(test))


def read_split(folder: Path) -> tuple[Table, Table]:
    """Read the training rows and the test rows that `write_split` wrote.

    Raises:
        InvalidData: a file is missing or was not written by `write_split`.
    """
    try:
        schema = msgspec.json.decode((folder / SCHEMA_FILE).read_bytes(), type=Schema)
        return _read(folder / TRAIN_FILE, schema), _read(folder / TEST_FILE, schema)
    except (OSError, ValueError, IndexError) as error:
        raise InvalidData(f"{folder} does not hold prepared data ({error}); run `dvc repro prepare`") from error


def digest_of(folder: Path) -> str:
    """SHA-256 over training and test rows as they are on disk: the identity of the prepared data."""
    found = hashlib.sha256()
    for name in (TRAIN_FILE, TEST_FILE):
        found.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return found.hexdigest()


def _read(path: Path, schema: Schema) -> Table:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if rows[0] != [*schema.features, schema.target]:
        raise ValueError(f"{path.name} has other columns than {SCHEMA_FILE}")
    body = rows[1:]
    return Table(
        features=schema.features,
        target=schema.target,
        values=np.array([_floats(row[:-1]) for row in body], dtype=np.float64).reshape(len(body), len(schema.features)),
        labels=[_label(row[-1], schema.label_kind) for row in body],
        origins=[f"{path.name} line {line}" for line in range(2, len(rows) + 1)],
    )


def _floats(cells: Iterable[str]) -> list[float]:
    return [float(cell) if cell else math.nan for cell in cells]


def _label(cell: str, kind: LabelKind) -> Label:
    if kind == "string":
        return cell
    return cell == "True" if kind == "boolean" else int(cell)
