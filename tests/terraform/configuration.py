"""terraform/ as its files say it."""

import functools
from collections.abc import Iterator
from pathlib import Path

import hcl2

FOLDER = Path(__file__).resolve().parents[2] / "terraform"
FILES = sorted(FOLDER.glob("**/*.tf"))
FOLDERS = sorted({path.parent for path in FILES})  # the root, then the modules
PLAIN = hcl2.SerializationOptions(strip_string_quotes=True, explicit_blocks=False, with_comments=False)


@functools.cache
def parsed(path: Path) -> dict:
    with path.open(encoding="utf-8") as file:
        return hcl2.load(file, serialization_options=PLAIN)


def resources() -> Iterator[tuple[str, str, dict]]:
    """Type, place and body of each resource."""
    for path in FILES:
        for block in parsed(path).get("resource", []):
            for kind, named in block.items():
                for name, body in named.items():
                    yield kind, f"{path.relative_to(FOLDER)}: {kind}.{name}", body
