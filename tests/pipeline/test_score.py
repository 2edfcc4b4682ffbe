"""A file's rows with their predictions."""

import csv
import io
import shutil

import numpy as np
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from functions.bundle.runtime import load_classifier
from pipeline.console import run
from pipeline.errors import InvalidData, PipelineError
from pipeline.install import load_bundle
from pipeline.score import main

HEADER = "id,petal_width,petal_length,sepal_width,sepal_length,note\n"
ROWS = 'a,0.2,1.4,3.5,5.1,"one, quoted"\nb,2.3,5.2,3.0,6.7,\n'


def read_csv(content: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content)))


@pytest.fixture
def score(bundle_folder, tmp_path):
    """Scores the text of a CSV file; returns the rows that were written."""

    def scored(text: str) -> list[dict[str, str]]:
        given, written = tmp_path / "rows.csv", tmp_path / "out" / "predictions.csv"
        given.write_text(text)
        said = main(["--models", str(bundle_folder), "--input", str(given), "--output", str(written)])
        rows = read_csv(written.read_text())
        assert said.startswith(f"{written}: {len(rows)} rows scored by version ")
        return rows

    return scored


def test_rows_are_written_as_they_were_with_what_the_model_says(score, bundle_folder):
    rows = score(HEADER + ROWS)
    assert [row["id"] for row in rows] == ["a", "b"]
    assert [row["note"] for row in rows] == ["one, quoted", ""]
    assert [row["prediction"] for row in rows] == ["setosa", "virginica"]
    bundle = load_bundle(bundle_folder)
    expected = load_classifier(bundle).probabilities(np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]], np.float32))
    for row, probabilities in zip(rows, expected, strict=True):
        written = [float(row[f"probability_{name}"]) for name in bundle.metadata.target_keys]
        assert written == pytest.approx(probabilities.tolist(), abs=1e-6)
        assert float(row["confidence"]) == max(written)


def test_parquet_gives_the_same_as_csv(score, bundle_folder, tmp_path):
    import pandas as pd

    expected = score(HEADER + ROWS)
    given, written = tmp_path / "rows.parquet", tmp_path / "predictions.csv"
    pd.read_csv(io.StringIO(HEADER + ROWS)).to_parquet(given)
    main(["--models", str(bundle_folder), "--input", str(given), "--output", str(written)])
    assert read_csv(written.read_text()) == expected


def test_many_rows_are_all_scored_in_their_order(score):
    count = 25_001
    rows = score(HEADER + "".join(f"{index},0.2,1.4,3.5,{4 + index % 4},\n" for index in range(count)))
    assert [row["id"] for row in rows] == [str(index) for index in range(count)]
    assert {row["prediction"] for row in rows} >= {"setosa"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER, "has a header but no rows"),
        ("petal_width,sepal_width\n1,2\n", "no column 'sepal_length', 'petal_length', which the model needs"),
        (HEADER + "a,0.2,1.4,3.5,long,\n", "column 'sepal_length', line 2: 'long' is no number"),
        (HEADER + ROWS + "c,0.2,1.4,,5.1,\n", "column 'sepal_width', line 4: the value is missing"),
        (HEADER + ROWS + "c,0.2,1.4,3.5,21,\n", r"column 'sepal_length', line 4: 21 is outside .* \(0 to 20\)"),
        (HEADER + "c,0.2,1.4,3.5,inf,\n", "column 'sepal_length', line 2: inf is outside"),
        (HEADER.replace("note", "confidence") + ROWS, "column 'confidence' is what scoring adds"),
        (HEADER.replace("note", "petal_width") + ROWS, "column 'petal_width' is there 2 times"),
    ],
)
def test_file_that_does_not_fit_the_model_is_refused(score, tmp_path, text, message):
    with pytest.raises(InvalidData, match=message):
        score(text)
    assert not (tmp_path / "out" / "predictions.csv").exists()


def test_damaged_bundle_scores_nothing(bundle_folder, tmp_path):
    models = shutil.copytree(bundle_folder, tmp_path / "models")
    with (models / "model.onnx").open("ab") as file:
        file.write(b"x")
    (tmp_path / "rows.csv").write_text(HEADER + ROWS)
    with pytest.raises(PipelineError, match=r"model\.onnx: its sha256 is"):
        main(["--models", str(models), "--input", str(tmp_path / "rows.csv"), "--output", str(tmp_path / "out.csv")])


def test_objects_of_a_bucket_are_read_and_replaced(bucket, bundle_folder):
    place = bucket.removesuffix("/models") + "/score"
    client = storage.Client(project="test", credentials=AnonymousCredentials())
    client.bucket("bucket").blob("score/rows.csv").upload_from_string(HEADER + ROWS)
    for _ in range(2):
        main(["--models", str(bundle_folder), "--input", f"{place}/rows.csv", "--output", f"{place}/predictions.csv"])
    written = client.bucket("bucket").blob("score/predictions.csv").download_as_text()
    assert [row["prediction"] for row in read_csv(written)] == ["setosa", "virginica"]


def test_output_that_is_no_csv_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--input", "rows.csv", "--output", "predictions.txt"])
    assert "does not end in .csv" in capsys.readouterr().err


def test_missing_input_is_reported_without_a_traceback(bundle_folder, tmp_path, capsys):
    arguments = ["--models", str(bundle_folder), "--input", str(tmp_path / "no.csv"), "--output", "out.csv"]
    with pytest.raises(SystemExit):
        run(lambda: main(arguments))
    assert "no.csv: no such file" in capsys.readouterr().err
