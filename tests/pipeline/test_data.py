import pyarrow as pa
import pytest
from pyarrow import parquet

from functions.bundle.storage import Location, read_object
from pipeline.data import check_table, parse_labels
from pipeline.errors import InvalidData
from pipeline.params import DataParams
from pipeline.source import parse_csv, read_cells

DATA = DataParams(
    source="x.csv",
    target="kind",
    test_size=0.2,
    random_state=1,
    min_rows_per_class=1,
    bounds={},
    bounds_margin=1.0,
    impute=None,
    scale=False,
)


def changed(**changes):
    return DataParams(**{name: getattr(DATA, name) for name in DATA.__struct_fields__} | changes)


def check(text, **changes):
    return check_table(parse_csv(text.encode(), "x.csv"), changed(**changes))


def test_table_keeps_the_order_of_columns_and_rows():
    table = check("b,kind,a\n1,x,2\n3,y,4\n5,x,6\n7,y,8\n")

    assert table.features == ["b", "a"]
    assert table.values.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]
    assert table.labels == ["x", "y", "x", "y"]
    assert table.origins == ["line 2", "line 3", "line 4", "line 5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"x\.csv: is empty"),
        ("a,kind\n", r"has a header but no rows"),
        ("a,b\n1,2\n", r"has no target column 'kind'; set data\.target, its columns are 'a', 'b'"),
        ("kind\nx\n", r"no column beside the target"),
        ("a,,kind\n1,2,x\n", r"column 2 has no name"),
        ("a,a,kind\n1,2,x\n", r"column 'a' is there 2 times"),
        ("a,kind\n1,x\n2\n", r"line 3 has 1 cells where the header has 2"),
        ("a,kind\n1,x\nred,y\n", r"column 'a', line 3: 'red' is no number"),
        ("a,kind\n1,x\n1_000,y\n", r"column 'a', line 3: '1\?000' is no number|'1_000' is no number"),
        ("a,kind\n1,x\n,y\n", r"column 'a', line 3: the value is missing; .* set data\.impute"),
        ("a,kind\n1,x\nNaN,y\n", r"column 'a', line 3: the value is missing"),
        ("a,kind\n1,x\ninf,y\n", r"column 'a', line 3: inf is infinite"),
        ("a,kind\n1,x\n1e39,y\n", r"column 'a', line 3: 1e39 is infinite or too large"),
        ("a,kind\n1,x\n2,\n", r"column 'kind', line 3: the label is missing"),
        ("a,kind\n1,x\n2,1.5\n", r"column 'kind', line 3: 1\.5 is a decimal number"),
        ("a,kind\n1,x\n2,x\n", r"column 'kind' has one class only, 'x'"),
        ("a,kind\n1,x\n2,x\n3,y\n", r"has 1 rows of class 'y', too few for 1 on each side"),
        ('a,kind\n1,"x\n', r"is no UTF-8 CSV file"),
        ("a,kind\n\n1,x\n\n\nred,y\n", r"line 6: 'red'"),
    ],
)
def test_table_with_a_fault_is_refused_with_column_row_and_reason(text, message):
    with pytest.raises(InvalidData, match=message):
        check(text)


def test_table_outside_declared_bounds_is_refused():
    with pytest.raises(InvalidData, match=r"column 'a', line 3: 9 is outside data\.bounds\.a \(0 to 5\)"):
        check("a,kind\n1,x\n9,y\n", bounds={"a": (0.0, 5.0)})


@pytest.mark.parametrize("name", ["c", "kind"])
def test_bounds_that_name_no_feature_are_refused(name):
    with pytest.raises(InvalidData, match=rf"data\.bounds\.{name} names no feature of x\.csv"):
        check("a,kind\n1,x\n", bounds={name: (0.0, 5.0)})


def test_missing_values_are_accepted_with_an_imputer_but_not_a_whole_column():
    table = check("a,b,kind\n,1,x\n2,NA,y\n3,2,x\n4,3,y\n", impute="mean")
    assert str(table.values.tolist()) == "[[nan, 1.0], [2.0, nan], [3.0, 2.0], [4.0, 3.0]]"

    with pytest.raises(InvalidData, match="column 'a' is empty"):
        check("a,b,kind\n,1,x\n,2,y\n", impute="mean")


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["a", " b "], ["a", "b"]),
        (["0", "-1"], [0, -1]),
        (["1.0", "2"], [1, 2]),
        ([1.0, 2.0], [1, 2]),
        ([3, 4], [3, 4]),
        (["true", "False"], [True, False]),
        ([True, False], [True, False]),
        (["007", "1"], ["007", "1"]),
        (["1", "x"], ["1", "x"]),
        (["None", "NA"], ["None", "NA"]),
        (["9" * 30, "1"], ["9" * 30, "1"]),
    ],
)
def test_labels_get_the_narrowest_type_that_fits_all(cells, labels):
    found = parse_labels(cells, ["line 2", "line 3"], "x.csv")

    assert [(type(label), label) for label in found] == [(type(label), label) for label in labels]


def test_parquet_reads_as_csv_does_and_names_rows(tmp_path):
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"a": [1, 2, 3, None], "kind": [True, False, True, False]}), path)
    cells = read_cells(str(path), read_object)

    table = check_table(cells, changed(impute="mean"))
    assert (table.labels, table.origins[3]) == ([True, False, True, False], "row 4")
    with pytest.raises(InvalidData, match="column 'a', row 4: the value is missing"):
        check_table(cells, DATA)


@pytest.mark.parametrize("cells", [[True, False], ["x", "y"]])
def test_parquet_column_that_is_no_number_is_refused(tmp_path, cells):
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"a": cells, "kind": ["x", "y"]}), path)

    with pytest.raises(InvalidData, match=r"column 'a', row 1: .* is no number"):
        check_table(read_cells(str(path), read_object), DATA)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.csv", "no such file; .*dvc pull"),
        ("x.txt", "neither .csv nor .parquet"),
        ("folder.csv", "Is a directory"),
    ],
)
def test_source_that_is_no_such_file_is_refused(tmp_path, name, message):
    (tmp_path / "folder.csv").mkdir()

    with pytest.raises(InvalidData, match=message):
        read_cells(str(tmp_path / name), read_object)


def test_source_that_is_no_parquet_file_is_refused(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"not at all")

    with pytest.raises(InvalidData, match="is no Parquet file"):
        read_cells(str(tmp_path / "x.parquet"), read_object)


def test_source_in_a_bucket_is_fetched(bucket):
    Location("gs://bucket/data").write("x.csv", b"a,kind\n1,x\n", generation=0)

    assert read_cells("gs://bucket/data/x.csv", read_object).header == ["a", "kind"]
