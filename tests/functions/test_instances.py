"""Rows: every fault has its field's exact path, and nothing but valid rows gets through."""

import json
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.bundle.metadata import FLOAT32_MAX, Distribution, Feature
from functions.errors import InvalidInstances, MalformedRequest, Problem, TooLarge
from functions.instances import MAX_FAULTS, InstanceDecoder

MAX_ROWS = 5


def feature(name, low=0.0, high=10.0, nullable=False):
    return Feature(name=name, bounds=(low, high), nullable=nullable, reference=Distribution(edges=[], counts=[1]))


FEATURES = [feature("width"), feature("height of it", -1, 1), feature("depth", nullable=True)]
NAMES = [known.name for known in FEATURES]
WIDTH, HEIGHT, DEPTH = NAMES
ROW = {WIDTH: 1.5, HEIGHT: -0.5, DEPTH: None}
UNBOUNDED = [feature("x", -FLOAT32_MAX, FLOAT32_MAX)]
DECODER = InstanceDecoder(FEATURES, MAX_ROWS)


def decode(content, decoder=DECODER):
    return decoder.decode(content if isinstance(content, bytes) else json.dumps(content).encode())


def faults_of(content, decoder=DECODER):
    with pytest.raises(InvalidInstances) as caught:
        decode(content, decoder)
    return [(fault.field, fault.message) for fault in caught.value.faults]


def without(name):
    return {key: value for key, value in ROW.items() if key != name}


def test_row_is_read_in_the_order_of_the_model():
    rows = decode({HEIGHT: 0.25, DEPTH: 3, WIDTH: 7})
    assert rows.values.tolist() == [[7, 0.25, 3]]
    assert rows.values.dtype == np.float32
    assert not rows.batch


def test_instances_are_objects_and_lists_mixed():
    rows = decode({"instances": [ROW, [1, 0, 2.5], {**ROW, DEPTH: 9}], "parameters": {"anything": [1]}})
    np.testing.assert_array_equal(rows.values, np.array([[1.5, -0.5, np.nan], [1, 0, 2.5], [1.5, -0.5, 9]], np.float32))
    assert rows.batch


def test_single_row_as_instances_stays_a_batch():
    assert decode({"instances": [ROW]}).batch


def test_bounds_are_inclusive():
    assert decode({"instances": [[0, -1, 0], [10, 1, 10]]}).values.tolist() == [[0, -1, 0], [10, 1, 10]]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (without(WIDTH), [("width", "is missing")]),
        ({}, [(name, "is missing") for name in NAMES]),
        (without(DEPTH), [("depth", "is missing")]),
        ({**ROW, "colour": 1}, [("colour", "is not a feature of the model")]),
        ({**ROW, "a.b[0]": 1}, [("a.b[0]", "is not a feature of the model")]),
        ({**ROW, WIDTH: "1.5"}, [("width", "must be a number, not a string")]),
        ({**ROW, WIDTH: True}, [("width", "must be a number, not a boolean")]),
        ({**ROW, DEPTH: False}, [("depth", "must be a number, not a boolean")]),
        ({**ROW, WIDTH: [1.5]}, [("width", "must be a number, not a list")]),
        ({**ROW, WIDTH: {"value": 1}}, [("width", "must be a number, not an object")]),
        ({**ROW, WIDTH: None}, [("width", "must be a number, not null")]),
        ({**ROW, WIDTH: 10.001}, [("width", "must be between 0 and 10")]),
        ({**ROW, HEIGHT: -2}, [("height of it", "must be between -1 and 1")]),
        ({**ROW, DEPTH: -1}, [("depth", "must be between 0 and 10")]),
        ({**ROW, WIDTH: 10**400}, [("width", "must be between 0 and 10")]),
        (
            {"colour": 1, WIDTH: "x", HEIGHT: 9},
            [
                ("colour", "is not a feature of the model"),
                ("depth", "is missing"),
                ("width", "must be a number, not a string"),
                ("height of it", "must be between -1 and 1"),
            ],
        ),
        ([1, 0, 2], [("", "must be an object of the model's features")]),
        (7, [("", "must be an object of the model's features")]),
        (None, [("", "must be an object of the model's features")]),
        ("instances", [("", "must be an object of the model's features")]),
        ({"instances": []}, [("instances", "must have at least one row")]),
        ({"instances": None}, [("instances", "must be a list of rows")]),
        ({"instances": ROW}, [("instances", "must be a list of rows")]),
        ({"instances": [ROW], "options": {}}, [("options", "is not known")]),
        ({"instances": 1, "options": {}}, [("options", "is not known"), ("instances", "must be a list of rows")]),
        ({"parameters": {}}, [("parameters", "is not a feature of the model")] + [(n, "is missing") for n in NAMES]),
        ({"instances": [ROW, without(WIDTH)]}, [("instances[1].width", "is missing")]),
        ({"instances": [ROW, [1, 0, "2"]]}, [("instances[1][2]", "must be a number, not a string")]),
        ({"instances": [[None, 0, 2]]}, [("instances[0][0]", "must be a number, not null")]),
        ({"instances": [[1, 0]]}, [("instances[0]", "has 2 values, the model has 3 features")]),
        ({"instances": [[1, 0, 2, 3]]}, [("instances[0]", "has 4 values, the model has 3 features")]),
        ({"instances": [[]]}, [("instances[0]", "has 0 values, the model has 3 features")]),
        ({"instances": [ROW, 3]}, [("instances[1]", "must be an object of the model's features or a list")]),
        ({"instances": [{**ROW, "x": 0}]}, [("instances[0].x", "is not a feature of the model")]),
        (
            {"instances": [[11, 0, 2], ROW, {**ROW, HEIGHT: 2}]},
            [
                ("instances[0][0]", "must be between 0 and 10"),
                ("instances[2].height of it", "must be between -1 and 1"),
            ],
        ),
    ],
    ids=lambda value: json.dumps(value)[:60] if not isinstance(value, list) or not value else "",
)
def test_fault_is_named_with_its_path(content, expected):
    assert faults_of(content) == expected


def test_detail_counts_the_faults_and_names_the_first_ones():
    with pytest.raises(InvalidInstances) as caught:
        decode({"instances": [[11, 5, 11], [11, 0, 0]]})
    assert caught.value.detail == "4 faults: instances[0][0], instances[0][1], instances[0][2], ..."
    with pytest.raises(InvalidInstances, match=r"^1 fault: the body$"):
        decode([])


def test_answer_lists_a_bounded_number_of_faults():
    many = InstanceDecoder([feature(f"f{number}") for number in range(MAX_FAULTS + 5)], MAX_ROWS)
    with pytest.raises(InvalidInstances) as caught:
        decode({}, many)
    assert len(caught.value.faults) == MAX_FAULTS
    assert f"{MAX_FAULTS + 5} faults" in caught.value.detail
    assert f"the first {MAX_FAULTS} are listed" in caught.value.detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"no",
        b"{'width': 1}",
        b'{"width": NaN}',
        b'{"width": Infinity}',
        b'{"width": -Infinity}',
        b'{"width": 1e999}',
        b'{"instances": [[1e999, 0, 2]]}',
        b'{"width": 01}',
        b'{"width": 1,}',
        b"{} {}",
        b"\xff\xfe",
        b'{"width\xff": 1}',
        b'{"width": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"\\ud800": 1}',
        b"[" * 100_000,
        b'{"instances":' * 100_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_no_json_is_malformed(body):
    with pytest.raises(MalformedRequest):
        decode(body)


@pytest.mark.parametrize("row", [ROW, [1, 0, 2], "invalid"], ids=["objects", "lists", "invalid"])
def test_too_many_rows_are_refused_before_they_are_checked(row):
    with pytest.raises(TooLarge, match=f"{MAX_ROWS + 1} instances are more than the {MAX_ROWS}"):
        decode({"instances": [row] * (MAX_ROWS + 1)})


def test_as_many_rows_as_allowed_are_read():
    assert decode({"instances": [ROW] * MAX_ROWS}).values.shape == (MAX_ROWS, len(FEATURES))


def test_null_is_read_as_missing_where_the_pipeline_imputes():
    assert math.isnan(decode(ROW).values[0, 2])
    assert math.isnan(decode({"instances": [[1, 0, None]]}).values[0, 2])


@pytest.mark.parametrize(
    "names",
    [
        ["sepal length (cm)", "petal width"],
        ['say "x"', "back\\slash", "new\nline"],
        ["class", "def", "None", "__init__", "self"],
        ["größe", "鍵", "𠮷"],
        ["instances", "parameters"],
        ["instances"],
        ["parameters"],
        ["f0", "f1", "1", " "],
        ["f1", "f0"],
    ],
    ids=repr,
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_feature_names_may_hold_anything(names, ascii_only):
    decoder = InstanceDecoder([feature(name) for name in names], MAX_ROWS)
    values = [float(number) for number in range(len(names))]
    row = dict(zip(names, values, strict=True))

    def body(content):
        return json.dumps(content, ensure_ascii=ascii_only).encode()

    assert decode(body(row), decoder).values.tolist() == [values]
    assert not decode(body(row), decoder).batch
    assert decode(body({"instances": [row, values]}), decoder).values.tolist() == [values, values]
    for index, name in enumerate(names):
        assert faults_of(body({**row, name: 11}), decoder) == [(name, "must be between 0 and 10")]
        assert faults_of(body({"instances": [row, {**row, name: 11}]}), decoder) == [
            (f"instances[1].{name}", "must be between 0 and 10")
        ]
        wrong = [*values[:index], 11, *values[index + 1 :]]
        assert faults_of(body({"instances": [wrong]}), decoder) == [
            (f"instances[0][{index}]", "must be between 0 and 10")
        ]


NUMBERS = st.one_of(
    st.integers(-2, 12),
    st.floats(-2, 12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -0.0, 10, 10.000000000000002, 1e-320, 2**63, 2**64, -(2**64), 10**30, 10**308, FLOAT32_MAX]),
)
CELLS = st.one_of(NUMBERS, NUMBERS, st.none(), st.booleans(), st.text(max_size=3))
KEYS = st.one_of(st.sampled_from([*NAMES, "instances", "parameters", ""]), st.text(max_size=5))
ANYTHING = st.recursive(
    st.one_of(CELLS, st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=12,
)
ROWS = st.one_of(
    st.fixed_dictionaries(dict.fromkeys(NAMES, CELLS)),
    st.fixed_dictionaries(dict.fromkeys(NAMES, NUMBERS), optional={"other": CELLS}),
    st.lists(CELLS, min_size=2, max_size=4),
    st.tuples(st.floats(0, 10), st.floats(-1, 1), st.none() | st.floats(0, 10)).map(list),
    ANYTHING,
)
BODIES = st.one_of(
    ROWS,
    ANYTHING,
    st.fixed_dictionaries(
        {"instances": st.one_of(st.lists(ROWS, max_size=MAX_ROWS + 1), ANYTHING)},
        optional={"parameters": ANYTHING, "other": ANYTHING},
    ),
)


def is_valid_cell(known, value):
    if value is None:
        return known.nullable
    return type(value) in (int, float) and known.bounds[0] <= value <= known.bounds[1]


def is_valid_row(row, in_batch):
    if isinstance(row, list):
        values = row if in_batch and len(row) == len(NAMES) else None
    elif isinstance(row, dict):
        values = [row[name] for name in NAMES] if set(row) == set(NAMES) else None
    else:
        values = None
    return values is not None and all(map(is_valid_cell, FEATURES, values))


def is_valid(content):
    """The contract once more, spelled out as simply as possible."""
    if isinstance(content, dict) and "instances" in content:
        rows = content["instances"]
        return (
            set(content) <= {"instances", "parameters"}
            and isinstance(rows, list)
            and 1 <= len(rows) <= MAX_ROWS
            and all(is_valid_row(row, in_batch=True) for row in rows)
        )
    return is_valid_row(content, in_batch=False)


def outcome(body, decoder=DECODER):
    """What the decoder makes of a body: its rows, or the problem that it raises; anything else escapes."""
    try:
        rows = decoder.decode(body)
    except Problem as problem:
        return type(problem), problem.detail, problem.faults
    return rows.batch, rows.values.tobytes(), None


@given(BODIES)
@example({WIDTH: 10**30, HEIGHT: 0, DEPTH: 0})
@example({"instances": [[2**64, 0, None]]})
def test_any_json_value_gives_rows_within_the_features_or_a_problem(content):
    body = json.dumps(content).encode()
    if not is_valid(content):
        assert issubclass(outcome(body)[0], Problem)
        return
    rows = DECODER.decode(body)
    expected = content["instances"] if rows.batch else [content]
    assert rows.values.shape == (len(expected), len(FEATURES))
    for row, values in zip(expected, rows.values.tolist(), strict=True):
        given_values = row if isinstance(row, list) else [row[name] for name in NAMES]
        for known, value, read in zip(FEATURES, given_values, values, strict=True):
            if value is None:
                assert math.isnan(read)
            else:
                assert read == pytest.approx(value, rel=1e-6, abs=1e-30)
                assert np.float32(known.bounds[0]) <= read <= np.float32(known.bounds[1])


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_a_problem(body):
    outcome(body)


@given(st.one_of(NUMBERS, CELLS))
def test_values_of_an_unbounded_feature_stay_finite(value):
    decoder = InstanceDecoder(UNBOUNDED, MAX_ROWS)
    for content in ({"x": value}, {"instances": [[value]]}, {"instances": [{"x": value}]}):
        try:
            assert np.isfinite(decoder.decode(json.dumps(content).encode()).values).all()
        except InvalidInstances:
            assert type(value) not in (int, float) or abs(value) > FLOAT32_MAX


def spelled_otherwise(content):
    """The same JSON value, in a spelling that only the explaining path reads."""
    body = json.dumps(content).encode()
    if isinstance(content, dict) and "instances" in content:
        return body.replace(b'"instances"', rb'"\u0069nstances"')
    if isinstance(content, dict) and WIDTH in content:
        return b'{"width":"a later one counts",' + body[1:]
    return body


@given(BODIES)
def test_the_fast_path_and_the_explaining_path_agree(content):
    assert outcome(json.dumps(content).encode()) == outcome(spelled_otherwise(content))


@given(st.one_of(ROWS, st.builds(lambda rows: {"instances": rows}, ANYTHING | st.lists(NUMBERS.map(lambda n: [n])))))
def test_both_paths_agree_for_a_feature_that_is_called_instances(content):
    decoder = InstanceDecoder([feature("instances")], MAX_ROWS)
    body = json.dumps(content).encode()
    assert outcome(body, decoder) == outcome(body.replace(b'"instances"', rb'"\u0069nstances"'), decoder)
