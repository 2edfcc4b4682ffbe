"""Reading a CSV or Parquet file into cells, from a path or a gs:// URI."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.errors import InvalidData


@dataclass(frozen=True)
class Cells:
    """A file's cells by column; `rows` names each row as a person would look for it."""

    header: list[str]
    columns: list[Sequence[Any]]
    rows: list[str]


def read_cells(source: str, fetch: Callable[[str], bytes]) -> Cells:
    """Read the file at `source`; `fetch` reads a gs:// URI.

    Raises:
        InvalidData: there is no such file, or it is neither CSV nor Parquet.
    """
    suffix = PurePosixPath(source).suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise InvalidData(f"{source}: ends in neither .csv nor .parquet; name such a file")
    content = fetch(source) if source.startswith("gs://") else _read(source)
    return parse_csv(content, source) if suffix == ".csv" else parse_parquet(content, source)


def parse_csv(content: bytes, name: str) -> Cells:
    """Split a UTF-8 CSV file with a header into cells; rows are named by their line.

    Raises:
        InvalidData: it is empty or no CSV, or a row has more or fewer cells than the header.
    """
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        lines = [(row, reader.line_num) for row in reader if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidData(f"{name}: is no UTF-8 CSV file ({error})") from error
    if not lines:
        raise InvalidData(f"{name}: is empty")
    header = [cell.strip() for cell in lines[0][0]]
    for row, line in lines[1:]:
        if len(row) != len(header):
            raise InvalidData(f"{name}: line {line} has {len(row)} cells where the header has {len(header)}")
    columns: list[Sequence[Any]] = list(zip(*(row for row, _ in lines[1:]), strict=True))
    return Cells(header=header, columns=columns or [()] * len(header), rows=[f"line {line}" for _, line in lines[1:]])


def parse_parquet(content: bytes, name: str) -> Cells:
    """Split a Parquet file into cells; rows are numbered from 1.

    Raises:
        InvalidData: it is no Parquet file.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(pa.BufferReader(content)).read()
    except (pa.ArrowException, OSError) as error:
        raise InvalidData(f"{name}: is no Parquet file ({error})") from error
    # pandas writes its index as a column with such a name
    kept = [index for index, column in enumerate(table.column_names) if not column.startswith("__index_level_")]
    return Cells(
        header=[table.column_names[index] for index in kept],
        columns=[table.column(index).to_pylist() for index in kept],
        rows=[f"row {number}" for number in range(1, table.num_rows + 1)],
    )


def _read(source: str) -> bytes:
    try:
        return Path(source).read_bytes()
    except FileNotFoundError:
        raise InvalidData(
            f"{source}: no such file; correct the path, or run `dvc pull {source}.dvc` if DVC keeps it"
        ) from None
    except OSError as error:
        raise InvalidData(f"{source}: {error.strerror}; correct the path") from error
