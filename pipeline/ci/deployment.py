"""One deployment at a time, each with a way back, also for the build after one that was killed.

gs://MODELS_BUCKET/deployment/lock.json     exists while a build deploys, and says what was before it
gs://MODELS_BUCKET/deployment/state.json    what serves, and what served before: where a rollback goes
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.ci import storage, vms
from pipeline.ci.build import Build
from pipeline.ci.cloud_run import Service, Table
from pipeline.ci.shell import Run
from pipeline.errors import DeliveryError

ALIVE = {"QUEUED", "PENDING", "WORKING"}


@dataclass(frozen=True, kw_only=True)
class Before:
    """What a build found, and puts back when it fails: traffic by region, the VMs' image, and the champion's pointer.

    None: there was none.
    """

    build: str
    tables: dict[str, Table]
    vm_image: str | None
    pointer: str | None


@dataclass(frozen=True, kw_only=True)
class Release:
    """What a build brought into service: revisions by region, none where only VMs serve."""

    build: str
    revisions: dict[str, str]
    image: str
    pointer: str | None


def services(run: Run, build: Build) -> list[Service]:
    """The Cloud Run services of the build, that of its own region first."""
    regions = (build.region, build.secondary_region) if build.service else ()
    return [Service(run, build.service, region) for region in regions if region]


def begin(run: Run, build: Build) -> Before:
    """Note what is there, and keep other builds from deploying.

    What a build left behind that was killed is put right first.

    Raises:
        DeliveryError: another build is deploying.
    """
    try:
        return _note(run, build)
    except storage.Exists:
        _recover(run, build)
    return _note(run, build)


@contextmanager
def undone_on_failure(run: Run, build: Build) -> Iterator[None]:
    """Undo this build's deployment when a step of it fails, or is ended from outside."""
    try:
        yield
    except BaseException:
        abandon(run, build)
        raise


def undo(run: Run, build: Build, before: Before) -> None:
    """Put back what was there before, and let other builds deploy. Doing it twice is doing it once."""
    for region, table in before.tables.items():
        Service(run, build.service, region).restore(table)
    if before.vm_image is not None and vms.image(run, build) != before.vm_image:
        vms.roll(run, build, before.vm_image)
    pointer = read_pointer(run, build)
    if before.pointer is None and pointer is not None:
        storage.delete(run, _pointer(build))
    elif before.pointer is not None and pointer != before.pointer:
        write_pointer(run, build, before.pointer)
    storage.delete(run, _lock(build))


def complete(run: Run, build: Build, image: str) -> str:
    """Note what serves now, `image`, and what served before; let other builds deploy; say what serves."""
    before = _read_lock(run, build)
    if before is None or before.build != build.id:
        raise DeliveryError(f"{_lock(build)} is not this build's; look at what serves, then build again")
    revisions = {service.region: service.table().main() for service in services(run, build)}
    current = Release(build=build.id, revisions=revisions, image=image, pointer=read_pointer(run, build))
    previous = _as_release(run, build, before)
    state = {"current": asdict(current), "previous": None if previous is None else asdict(previous)}
    storage.write(run, _state(build), json.dumps(state, indent=2))
    storage.delete(run, _lock(build))
    return " ".join(["serving:", *revisions.values(), image])


def abandon(run: Run, build: Build) -> None:
    """Undo this build's deployment, if it has begun one."""
    before = _read_lock(run, build)
    if before is not None and before.build == build.id:
        undo(run, build, before)


def previous_release(run: Run, build: Build) -> Release:
    """What served before the present release.

    Raises:
        DeliveryError: nothing did.
    """
    state = _read_state(run, build)
    if not state or not state["previous"]:
        raise DeliveryError(f"{_state(build)} names nothing that served before, so there is nothing to go back to")
    return Release(**state["previous"])


def read_pointer(run: Run, build: Build) -> str | None:
    """The champion's pointer."""
    return storage.read(run, _pointer(build))


def write_pointer(run: Run, build: Build, pointer: str) -> None:
    """Set the champion's pointer."""
    storage.write(run, _pointer(build), pointer)


def _note(run: Run, build: Build) -> Before:
    before = Before(
        build=build.id,
        tables={service.region: service.table() for service in services(run, build)},
        vm_image=vms.image(run, build) if build.vm_group else None,
        pointer=read_pointer(run, build),
    )
    storage.create(run, _lock(build), json.dumps(asdict(before), indent=2))
    return before


def _recover(run: Run, build: Build) -> None:
    before = _read_lock(run, build)
    if before is None:
        return
    status = run("gcloud", "builds", "describe", before.build, f"--region={build.region}", "--format=value(status)")
    if status.strip() in ALIVE:
        raise DeliveryError(f"build {before.build} is deploying; start this one again when it has ended")
    state = _read_state(run, build)
    if state and state["current"]["build"] == before.build:
        storage.delete(run, _lock(build))  # all it had left to do
    else:
        undo(run, build, before)


def _as_release(run: Run, build: Build, before: Before) -> Release | None:
    revisions = {region: table.main() for region, table in before.tables.items()}
    if build.region in revisions:
        image = Service(run, build.service, build.region).image(revisions[build.region])
    elif before.vm_image is not None:
        image = before.vm_image
    else:
        return None
    return Release(build=before.build, revisions=revisions, image=image, pointer=before.pointer)


def _read_lock(run: Run, build: Build) -> Before | None:
    text = storage.read(run, _lock(build))
    if text is None:
        return None
    found: dict[str, Any] = json.loads(text)
    tables = {region: Table(**table) for region, table in found.pop("tables").items()}
    return Before(tables=tables, **found)


def _read_state(run: Run, build: Build) -> dict[str, Any] | None:
    text = storage.read(run, _state(build))
    found: dict[str, Any] | None = None if text is None else json.loads(text)
    return found


def _lock(build: Build) -> str:
    return f"{build.deployment}/lock.json"


def _state(build: Build) -> str:
    return f"{build.deployment}/state.json"


def _pointer(build: Build) -> str:
    return f"gs://{build.models_bucket}/models/champion.json"
