"""The lock, gs://MODELS_BUCKET/deployment/lock.json: one build at a time deploys, and says what was before it.

Each change of it names the generation that was read, so of two builds that want it one gets it, and nobody deletes
another's.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.ci import storage
from pipeline.ci.build import Build
from pipeline.ci.cloud_run import Table
from pipeline.ci.shell import Run
from pipeline.errors import DeliveryError


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What serves: traffic by region, the VMs' image, and the champion's pointer. None: there is none."""

    tables: dict[str, Table]
    vm_image: str | None
    pointer: str | None


@dataclass(frozen=True, kw_only=True)
class Lock:
    """The build that deploys, the location that it runs in, and what to put back when it fails."""

    build: str
    location: str
    before: Serving | None = None
    """None: nothing has been changed."""

    vms_rolled: bool = False
    """Whether a roll of the VMs has begun, which may have ended anywhere."""

    generation: str = storage.NONE
    """Of the object as it was read."""


def read(run: Run, build: Build) -> Lock | None:
    """The lock, None while no build deploys.

    Raises:
        DeliveryError: what is there is no lock.
        CommandFailed: it can't be read.
    """
    while True:
        generation = storage.generation(run, _uri(build))
        if generation == storage.NONE:
            return None
        text = storage.read(run, f"{_uri(build)}#{generation}")
        if text is not None:  # else it was changed meanwhile
            return _parse(build, text, generation)


def held(run: Run, build: Build) -> Lock:
    """The lock of this build.

    Raises:
        DeliveryError: it has none.
    """
    found = read(run, build)
    if found is None or found.build != build.id:
        raise DeliveryError(f"{_uri(build)} is not this build's any more; look at what serves, then build again")
    return found


def write(run: Run, build: Build, lock: Lock) -> None:
    """Write the lock, if it is of the lock's generation.

    Raises:
        Conflict: another build has it by now.
        CommandFailed: it can't be written.
    """
    content = {name: value for name, value in asdict(lock).items() if name != "generation"}
    storage.write(run, _uri(build), json.dumps(content, indent=2), lock.generation)


def release(run: Run, build: Build, lock: Lock) -> None:
    """Let other builds deploy.

    Raises:
        Conflict: another build has it by now.
        CommandFailed: it can't be deleted.
    """
    storage.delete(run, _uri(build), lock.generation)


def by_hand(build: Build) -> str:
    """How to go on when no build can clear the lock."""
    return (
        "by hand: put right what serves, and then, while no build deploys, "
        f"gcloud storage rm {_uri(build)} (docs/delivery.md, A lock that stays)"
    )


def _parse(build: Build, text: str, generation: str) -> Lock:
    try:
        found: dict[str, Any] = json.loads(text)
        before = found.pop("before")
        if before is not None:
            tables = {region: Table(**table) for region, table in before.pop("tables").items()}
            before = Serving(tables=tables, **before)
        return Lock(**found, before=before, generation=generation)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DeliveryError(f"{_uri(build)} can't be read ({error}); {by_hand(build)}") from error


def _uri(build: Build) -> str:
    return f"{build.deployment}/lock.json"
