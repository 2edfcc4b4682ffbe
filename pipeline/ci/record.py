"""Step record: keep what a version was made with beside its bundle, gs://BUCKET/models/<version>/.

python -m pipeline.ci.record gs://BUCKET/models
"""

import sys
from pathlib import Path

from functions.bundle.files import METADATA_FILE, read_metadata
from functions.bundle.storage import Conflict, Location
from pipeline import console
from pipeline.paths import GATE, METRICS, MODELS

RECORDS = (Path("dvc.lock"), METRICS, GATE)


def record(bucket: Location, root: Path) -> str:
    """Upload the records of the version in models/. A version keeps those of the build that made it."""
    version = read_metadata(root / MODELS / METADATA_FILE).version
    for path in RECORDS:
        try:
            bucket.write(f"{version}/records/{path.name}", (root / path).read_bytes(), generation=0)
        except Conflict:
            return f"{bucket.uri}/{version}/records: kept as the build wrote them that made this version"
    return f"{bucket.uri}/{version}/records: {', '.join(path.name for path in RECORDS)}"


if __name__ == "__main__":
    console.run(lambda: record(Location(sys.argv[1]), Path()))
