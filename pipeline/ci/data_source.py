"""Train on other data: set data.source in params.yaml, and leave everything else in it as it is.

python -m pipeline.ci.data_source gs://BUCKET/data/new.csv
"""

import json
import re
import sys
from pathlib import Path

from pipeline import console
from pipeline.errors import InvalidParams
from pipeline.params import PARAMS_FILE, read_params


def set_source(path: Path, source: str) -> str:
    """Set the source in the file, and say so.

    Raises:
        InvalidParams: the file has no such line, or is not as it should be.
    """
    text, count = re.subn(
        r"(?ms)(^data:\n(?:[ #][^\n]*\n|\n)*?  source: )[^\n]*",
        lambda found: found[1] + json.dumps(source),
        path.read_text(encoding="utf-8"),
    )
    if count != 1:
        raise InvalidParams(f"{path}: has no line `  source:` under `data:`; write it on a line of its own")
    path.write_text(text, encoding="utf-8")
    return f"{path}: data.source is {read_params(path).data.source}"


if __name__ == "__main__":
    console.run(lambda: set_source(PARAMS_FILE, sys.argv[1]))
