"""The note of what is being brought into service."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """A revision, empty where only VMs serve, and its image by digest."""

    revision: str
    image: str


def read_target(path: Path) -> Target | None:
    """The note at `path`, None where there is none."""
    return Target(**json.loads(path.read_bytes())) if path.exists() else None
