"""One deployment at a time, each with a way back, also for the build after one that was killed.

gs://MODELS_BUCKET/deployment/lock.json     exists while a build deploys, and says what was before it
gs://MODELS_BUCKET/deployment/state.json    what serves, and what served before: where a rollback goes

A deployment stands from the moment that its build is in state.json. Until then whoever holds the lock, the build itself
or one that took the lock over from a build that was killed, puts back what the lock says, as often as it takes.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from pipeline.ci import lock, shell, storage, vms
from pipeline.ci.build import Build
from pipeline.ci.cloud_run import Service
from pipeline.ci.lock import Lock, Serving
from pipeline.ci.shell import CommandFailed, Run
from pipeline.errors import DeliveryError

ENDED = {"SUCCESS", "FAILURE", "INTERNAL_ERROR", "TIMEOUT", "CANCELLED", "EXPIRED"}


@dataclass(frozen=True, kw_only=True)
class Release:
    """What was brought into service: revisions by region, none where only VMs serve."""

    revisions: dict[str, str]
    image: str
    pointer: str | None


def services(run: Run, build: Build) -> list[Service]:
    """The Cloud Run services of the build, that of its own region first."""
    regions = (build.region, build.secondary_region) if build.service else ()
    return [Service(run, build.service, region) for region in regions if region]


def begin(run: Run, build: Build) -> str | None:
    """Keep other builds from deploying, put back what a killed one changed, and note what serves.

    Gives the build that was killed, None when there was nothing to put back.

    Raises:
        DeliveryError: another build is deploying, or what one changed can't be put back.
    """
    found = lock.read(run, build) or Lock(build=build.id, location=build.location)
    if found.build != build.id:
        _require_ended(run, build, found)
    if _stands(run, build, found):
        found = replace(found, before=None)
    try:
        lock.write(run, build, replace(found, build=build.id, location=build.location))
    except storage.Conflict as error:
        raise DeliveryError("another build began to deploy just now; start this one again when it has ended") from error
    killed = None
    if found.before is not None:
        killed = found.build
        shell.say(f"build {killed} was killed while it deployed; putting back what it changed")
        _put_back(run, build, found)
    lock.write(run, build, replace(lock.held(run, build), before=_look(run, build), vms_rolled=False))
    return killed


@contextmanager
def undone_on_failure(run: Run, build: Build) -> Iterator[None]:
    """Undo this build's deployment when a step of it fails, or is ended from outside."""
    try:
        yield
    except BaseException as error:
        shell.say(f"failed: {error}")  # before all else: undoing may fail too
        abandon(run, build)
        raise


def abandon(run: Run, build: Build) -> None:
    """Undo this build's deployment, if it has begun one and has not completed it.

    Raises:
        DeliveryError: not all can be put back. The lock stays, and the next build tries again.
    """
    found = lock.read(run, build)
    if found is None or found.build != build.id:
        return
    if found.before is not None and not _stands(run, build, found):
        shell.say("putting back what was changed")
        _put_back(run, build, found)
    lock.release(run, build, found)


def roll(run: Run, build: Build, image: str) -> None:
    """Roll the VMs to `image`. That it has begun is noted first: from then on, undoing rolls them back.

    Raises:
        CommandFailed: they do not come up.
    """
    lock.write(run, build, replace(lock.held(run, build), vms_rolled=True))
    vms.roll(run, build, image)


def complete(run: Run, build: Build) -> Release:
    """Note what serves, and what served before; let other builds deploy; give what serves.

    Raises:
        DeliveryError: nothing serves, or the lock is not this build's.
    """
    found, current = lock.held(run, build), serving(run, build)
    previous = None if found.before is None else _release(run, build, found.before)
    state = {
        "build": build.id,
        "current": asdict(current),
        "previous": None if previous is None else asdict(previous),
    }
    storage.write(run, _state(build), json.dumps(state, indent=2))
    lock.release(run, build, found)
    return current


def serving(run: Run, build: Build) -> Release:
    """What serves.

    Raises:
        DeliveryError: nothing does.
    """
    found = _release(run, build, _look(run, build))
    if found is None:
        raise DeliveryError("nothing serves: no revision has traffic, and there are no VMs")
    return found


def previous_release(run: Run, build: Build) -> Release:
    """What served before the present release.

    Raises:
        DeliveryError: nothing did.
    """
    state = _read_state(run, build)
    if state is None or state["previous"] is None:
        raise DeliveryError(f"{_state(build)} names nothing that served before, so there is nothing to go back to")
    return Release(**state["previous"])


def read_pointer(run: Run, build: Build) -> str | None:
    """The champion's pointer."""
    return storage.read(run, _pointer(build))


def write_pointer(run: Run, build: Build, pointer: str) -> None:
    """Set the champion's pointer."""
    storage.write(run, _pointer(build), pointer)


def _look(run: Run, build: Build) -> Serving:
    """What serves now."""
    return Serving(
        tables={service.region: service.table() for service in services(run, build)},
        vm_image=vms.image(run, build) if build.vm_group else None,
        pointer=read_pointer(run, build),
    )


def _release(run: Run, build: Build, found: Serving) -> Release | None:
    """The revisions with most of the traffic, and their image; None where nothing serves."""
    revisions = {region: table.main() for region, table in found.tables.items() if table.shares}
    if build.region in revisions:
        image = Service(run, build.service, build.region).image(revisions[build.region])
    elif found.vm_image is not None:
        image = found.vm_image
    else:
        return None
    return Release(revisions=revisions, image=image, pointer=found.pointer)


def _put_back(run: Run, build: Build, found: Lock) -> None:
    """Put back what was before. Doing it twice is doing it once; one part's failure keeps no other from being tried."""
    before = found.before
    if before is None:
        return
    parts: dict[str, Callable[[], None]] = {
        f"traffic in {region}": partial(Service(run, build.service, region).restore, table)
        for region, table in before.tables.items()
    }
    parts["the champion's pointer"] = partial(_restore_pointer, run, build, before.pointer)
    if found.vms_rolled and before.vm_image is not None:
        parts["VMs"] = partial(vms.roll, run, build, before.vm_image)
    failures = []
    for name, put_back in parts.items():
        try:
            put_back()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the other parts are put back
            failures.append(f"{name}: {error}")
    if failures:
        told = "\n".join(failures)
        raise DeliveryError(f"not all could be put back:\n{told}\nthe next build tries again; {lock.by_hand(build)}")


def _restore_pointer(run: Run, build: Build, before: str | None) -> None:
    pointer = read_pointer(run, build)
    if before is None and pointer is not None:
        storage.delete(run, _pointer(build))
    elif before is not None and pointer != before:
        write_pointer(run, build, before)


def _require_ended(run: Run, build: Build, found: Lock) -> None:
    """Raise unless the build that has the lock has ended.

    Where it ran, a build is found as long as it lives, and for long after: one that is not has ended. What else is
    not known of it may not be taken for its end.
    """
    asked = ("gcloud", "builds", "describe", found.build, f"--region={found.location}", "--format=value(status)")
    try:
        status = run(*asked).strip()
    except CommandFailed as error:
        if "NOT_FOUND" in str(error):
            return
        raise DeliveryError(
            f"whether build {found.build} still deploys can't be asked: {error}\n{lock.by_hand(build)}"
        ) from error
    if status not in ENDED:
        raise DeliveryError(f"build {found.build} is deploying ({status}); start this one again when it has ended")


def _stands(run: Run, build: Build, found: Lock) -> bool:
    """Whether the deployment of the build that has the lock is complete, so that it had only the lock to release."""
    state = _read_state(run, build)
    return state is not None and state["build"] == found.build


def _read_state(run: Run, build: Build) -> dict[str, Any] | None:
    text = storage.read(run, _state(build))
    found: dict[str, Any] | None = None if text is None else json.loads(text)
    return found


def _state(build: Build) -> str:
    return f"{build.deployment}/state.json"


def _pointer(build: Build) -> str:
    return f"gs://{build.models_bucket}/models/champion.json"
