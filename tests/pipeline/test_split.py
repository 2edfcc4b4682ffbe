import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.errors import InvalidData
from pipeline.split import split
from pipeline.split import test_rows as held_out
from pipeline.table import Table, digest_of, read_split, write_split

FEATURES = ["b", "a", "c"]
floats = st.floats(width=64, allow_infinity=False)
tables = arrays.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=floats)


def table(values, labels):
    return Table(
        features=[f"f{index}" for index in range(values.shape[1])],
        target="kind",
        values=values,
        labels=labels,
        origins=[f"line {row + 2}" for row in range(len(values))],
    )


@given(tables, tables, st.integers(0, 2**32 - 1), st.floats(0.01, 0.99))
@settings(deadline=None)
def test_split_keeps_a_row_on_its_side_when_rows_are_added(values, added, seed, share):
    alone = held_out(FEATURES, values, share, seed)

    assert (held_out(FEATURES, np.vstack([added, values]), share, seed)[len(added) :] == alone).all()


@given(tables, st.permutations(range(3)), st.randoms())
@settings(deadline=None)
def test_split_does_not_depend_on_the_order_of_rows_and_columns(values, columns, random):
    rows = random.sample(range(len(values)), len(values))
    sides = held_out(FEATURES, values, 0.5, 1)

    moved = held_out([FEATURES[column] for column in columns], values[np.ix_(rows, columns)], 0.5, 1)
    assert (moved == sides[rows]).all()


def test_split_takes_equal_values_for_equal_however_they_are_written():
    negative_nan = np.copysign(np.nan, -1)
    sides = [
        held_out(["a", "b"], np.array([pair]), 0.5, seed)[0]
        for seed in range(20)
        for pair in ([0.0, np.nan], [-0.0, negative_nan])
    ]

    assert sides[0::2] == sides[1::2]
    assert set(sides) == {True, False}


def test_split_holds_out_the_share_that_was_asked_for(generator):
    values = generator.normal(size=(20_000, 3))

    assert held_out(FEATURES, values, 0.2, 42).mean() == pytest.approx(0.2, abs=0.01)
    assert (held_out(FEATURES, values, 0.2, 42) & held_out(FEATURES, values, 0.2, 43)).mean() < 0.06


def test_split_keeps_relabelled_duplicates_together(generator):
    values = np.repeat(generator.normal(size=(50, 2)), 2, axis=0)
    train, test = split(table(values, ["x", "y"] * 50), 0.3, 1, 1)

    assert not {*map(tuple, train.values)} & {*map(tuple, test.values)}
    assert len(train.labels) + len(test.labels) == 100


@pytest.mark.parametrize(("share", "side", "remedy"), [(0.01, "test", "raise"), (0.99, "training", "lower")])
def test_split_with_too_few_rows_of_a_class_says_what_to_do(generator, share, side, remedy):
    with pytest.raises(InvalidData, match=rf"the {side} side .* needs 5; add rows .* {remedy} data\.test_size"):
        split(table(generator.normal(size=(40, 2)), ["x", "y"] * 20), share, 1, 5)


@pytest.mark.parametrize("labels", [["x,1", 'y"'], [1, -2], [True, False], ["1", "2"]])
def test_prepared_rows_come_back_exactly_with_their_types(tmp_path, generator, labels):
    values = generator.normal(size=(60, 3)) * 10.0 ** generator.integers(-30, 30, size=(60, 3))
    values[0, 0], values[1] = np.nan, [-0.0, 5e-324, 0.1]
    parts = split(table(values, labels * 30), 0.4, 1, 1)

    write_split(tmp_path / "new", *parts)
    for written, found in zip(parts, read_split(tmp_path / "new"), strict=True):
        assert found.values.tobytes() == written.values.tobytes()
        assert [(type(label), label) for label in found.labels] == [(type(label), label) for label in written.labels]
        assert found.features == written.features


def test_prepared_rows_that_are_missing_or_foreign_are_refused(tmp_path, generator):
    with pytest.raises(InvalidData, match="dvc repro prepare"):
        read_split(tmp_path)

    parts = split(table(generator.normal(size=(20, 2)), ["x", "y"] * 10), 0.4, 1, 1)
    write_split(tmp_path, *parts)
    before = digest_of(tmp_path)
    (tmp_path / "test.csv").write_text("other,kind\n1,x\n")
    assert digest_of(tmp_path) != before
    with pytest.raises(InvalidData, match=r"test\.csv has other columns"):
        read_split(tmp_path)
