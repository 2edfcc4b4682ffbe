"""Stage prepare: check the data and split it into training and test rows."""

from functions.bundle.storage import read_object
from pipeline import console
from pipeline.data import check_table
from pipeline.params import read_params
from pipeline.paths import PROCESSED
from pipeline.source import read_cells
from pipeline.split import split
from pipeline.table import write_split


def main() -> str:
    """Read data.source, write data/processed, and say what is in it."""
    data = read_params().data
    table = check_table(read_cells(data.source, read_object), data)
    train, test = split(table, data.test_size, data.random_state, data.min_rows_per_class)
    write_split(PROCESSED, train, test)
    return (
        f"{PROCESSED}: {len(train.labels)} training and {len(test.labels)} test rows, "
        f"{len(table.features)} features, {len(table.classes())} classes"
    )


if __name__ == "__main__":
    console.run(main)
