"""Which rows are for training and which for the test."""

import hashlib
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InvalidData
from pipeline.table import Floats, Table


def split(table: Table, test_size: float, seed: int, min_rows: int) -> tuple[Table, Table]:
    """Split into training and test rows.

    A row's side depends on its own feature values, the seed and `test_size` alone. So it keeps its
    side when rows are added or reordered, a champion is never judged on rows that it was trained
    on, and equal rows stay together, also when one of them was relabelled.

    Raises:
        InvalidData: one side has fewer than `min_rows` rows of a class.
    """
    held_out = test_rows(table.features, table.values, test_size, seed)
    train, test = table.select(~held_out), table.select(held_out)
    for name, part, remedy in (("training", train, "lower"), ("test", test, "raise")):
        count = Counter(part.labels)
        for label in table.classes():
            if count[label] < min_rows:
                raise InvalidData(
                    f"the {name} side of the split has {count[label]} of the {table.labels.count(label)} rows of class "
                    f"{label!r} and needs {min_rows}; add rows of that class, {remedy} data.test_size ({test_size}), "
                    f"try another data.random_state ({seed}), or lower data.min_rows_per_class ({min_rows})"
                )
    return train, test


def test_rows(features: list[str], values: Floats, test_size: float, seed: int) -> NDArray[np.bool_]:
    """Which rows [rows, features] are held out: those whose hash, as a fraction, is below `test_size`."""
    order = sorted(range(len(features)), key=features.__getitem__)
    # Adding 0.0 turns -0.0 into 0.0, and the second step gives all NaN the same bytes.
    canonical = np.ascontiguousarray(values[:, order] + 0.0, dtype="<f8")
    canonical[np.isnan(canonical)] = np.nan
    key = seed.to_bytes(8, "little")
    limit = int(test_size * 2**64)
    digests = (hashlib.blake2b(row.tobytes(), digest_size=8, key=key).digest() for row in canonical)
    return np.array([int.from_bytes(digest, "little") < limit for digest in digests], dtype=bool)
