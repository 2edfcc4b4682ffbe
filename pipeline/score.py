"""Score a file in batch: its rows with their predictions.

    python -m pipeline.score --input rows.csv --output predictions.csv
    python -m pipeline.score --models champion --input gs://B/rows.parquet --output gs://B/predictions.csv

Each row is written as it was read, then `prediction`, `confidence`, and `probability_CLASS` for each class.
"""

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.bundle.metadata import Feature, Metadata
from functions.bundle.runtime import Classifier, load_classifier
from functions.bundle.storage import SCHEME, Location, read_object
from pipeline import console
from pipeline.data import parse_number
from pipeline.errors import InvalidData
from pipeline.install import load_bundle
from pipeline.paths import MODELS
from pipeline.source import Cells, read_cells

PREDICTION, CONFIDENCE, PROBABILITY = "prediction", "confidence", "probability_"

ROWS_AT_ONCE = 10_000
"""Enough to be fast (docs/performance.md), and few enough for a bar that moves."""

Floats = NDArray[np.float32]


def main(arguments: Sequence[str]) -> str:
    """Score as the arguments say, and say how many rows were written where."""
    options = _parse(arguments)
    bundle = load_bundle(Path(options.models))
    cells = read_cells(options.input, read_object)
    rows = parse_rows(cells, bundle.metadata, options.input)
    probabilities = predict(load_classifier(bundle), rows)
    write(options.output, encode_predictions(cells, bundle.metadata, probabilities))
    return f"{options.output}: {len(rows)} rows scored by version {bundle.metadata.version}"


def parse_rows(cells: Cells, model: Metadata, name: str) -> Floats:
    """The model's features from a file's cells, in the model's order; other columns are left alone.

    Raises:
        InvalidData: a feature has no column, or a value that the service would refuse too.
    """
    _check_header(cells.header, model, name)
    if not cells.rows:
        raise InvalidData(f"{name}: has a header but no rows")
    columns = [cells.columns[cells.header.index(feature)] for feature in model.feature_names]
    parsed = [
        _parse_column(feature, column, cells.rows, name)
        for feature, column in zip(model.features, columns, strict=True)
    ]
    return np.column_stack(parsed)


def predict(classifier: Classifier, rows: Floats) -> Floats:
    """The probability of each class for each row."""
    starts = range(0, len(rows), ROWS_AT_ONCE)
    chunks = console.progress(starts, f"scoring {len(rows)} rows", len(starts))
    return np.concatenate([classifier.probabilities(rows[start : start + ROWS_AT_ONCE]) for start in chunks])


def encode_predictions(cells: Cells, model: Metadata, probabilities: Floats) -> bytes:
    """The cells as CSV, with the predictions in further columns."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*cells.header, *_added_columns(model)])
    best = probabilities.argmax(axis=1).tolist()
    for row, chosen, answers in zip(zip(*cells.columns, strict=True), best, probabilities.tolist(), strict=True):
        given = ("" if cell is None else cell for cell in row)
        writer.writerow([*given, model.target_keys[chosen], _short(answers[chosen]), *map(_short, answers)])
    return text.getvalue().encode()


def write(output: str, content: bytes) -> None:
    """Write a file, or an object of a bucket, whole or not at all.

    Raises:
        InvalidData: the folder can't be written to.
        StorageError: the bucket refuses, or somebody else wrote the object meanwhile.
    """
    if output.startswith(SCHEME):
        folder, _, name = output.rpartition("/")
        bucket = Location(folder)
        found = bucket.read(name)
        bucket.write(name, content, generation=0 if found is None else found[1])
        return
    path = Path(output)
    staged = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staged.write_bytes(content)
        staged.replace(path)
    except OSError as error:
        raise InvalidData(f"{output}: can't be written ({error.strerror}); name another --output") from error


def _check_header(header: list[str], model: Metadata, name: str) -> None:
    known = f"its columns are {', '.join(map(repr, header))}"
    missing = [feature for feature in model.feature_names if feature not in header]
    if missing:
        raise InvalidData(f"{name}: has no column {', '.join(map(repr, missing))}, which the model needs; {known}")
    for feature in model.feature_names:
        if header.count(feature) > 1:
            raise InvalidData(f"{name}: column {feature!r} is there {header.count(feature)} times; keep one")
    taken = sorted(set(header) & set(_added_columns(model)))
    if taken:
        raise InvalidData(f"{name}: column {taken[0]!r} is what scoring adds; rename or drop it")


def _parse_column(feature: Feature, cells: Sequence[Any], rows: Sequence[str], name: str) -> Floats:
    where = f"{name}: column {feature.name!r}"
    values = np.array([parse_number(cell, f"{where}, {row}") for cell, row in zip(cells, rows, strict=True)])
    low, high = feature.bounds
    missing = np.isnan(values)
    if missing.any() and not feature.nullable:
        raise InvalidData(f"{where}, {rows[int(missing.argmax())]}: the value is missing; fill it in or drop the row")
    outside = ~missing & ~((values >= low) & (values <= high))
    if outside.any():
        first = int(outside.argmax())
        raise InvalidData(
            f"{where}, {rows[first]}: {cells[first]} is outside the model's bounds ({low:g} to {high:g}), "
            f"as {int(outside.sum())} of {len(values)} values are; correct or drop them"
        )
    return values.astype(np.float32)


def _added_columns(model: Metadata) -> list[str]:
    return [PREDICTION, CONFIDENCE, *(f"{PROBABILITY}{key}" for key in model.target_keys)]


def _short(probability: float) -> str:
    """As many digits as a float32 has."""
    return f"{probability:.7g}"


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipeline.score", description="Score a file in batch.")
    parser.add_argument("--models", default=str(MODELS), help="folder of the bundle (default: %(default)s)")
    parser.add_argument("--input", required=True, help="CSV or Parquet file: a path or a gs:// URI")
    parser.add_argument("--output", required=True, help="CSV file to write: a path or a gs:// URI")
    options = parser.parse_args(arguments)
    if not options.output.endswith(".csv"):
        parser.error(f"--output {options.output}: does not end in .csv")
    return options


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
