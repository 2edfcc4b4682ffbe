"""Retraining when data arrives: a new object in Cloud Storage starts a build (docs/adr/0011-retraining-from-events.md).

What lies in the event (another prefix, a repeat, too old, malformed) never gets better: it is answered
without a build. What lies outside of it (Cloud Build, identity, settings) may: it is raised, so that
Eventarc delivers the event again, until it is an hour old.
"""

import logging
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from functions.bundle.storage import SCHEME, WRITTEN_BY_US
from functions.cloud_build import BuildRequest, Trigger, open_trigger
from functions.events import OBJECT_FINALIZED, MalformedEvent, storage_object, time_of
from functions.settings import RetrainSettings

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent

OLDEST = timedelta(hours=1)

_BUILDABLE = re.compile(r"[A-Za-z0-9._=@+/-]+").fullmatch
"""A build pastes the name into its commands, so it holds nothing that a shell would act on."""

logger = logging.getLogger(__name__)


class NoBuild(Exception):
    """The event asks for no build; the message says why."""


def answer(event: "CloudEvent", settings: RetrainSettings) -> None:
    """Start the build that the event asks for, if it asks for one that has not been started yet.

    Raises:
        CloudBuildError: Cloud Build can't be asked now; the event should come again.
    """
    try:
        request = build_request(event, settings.prefix, datetime.now(UTC))
        with open_trigger(settings.trigger) as trigger:
            start_build(trigger, request)
    except (NoBuild, MalformedEvent) as reason:
        logger.info("no build", extra={"reason": str(reason), "event_id": event["id"]})


def build_request(event: "CloudEvent", prefix: str, now: datetime) -> BuildRequest:
    """The build that an event asks for.

    Raises:
        NoBuild: it asks for none.
        MalformedEvent: it can't be understood.
    """
    if event["type"] != OBJECT_FINALIZED:
        raise NoBuild(f"{event['type']} tells of no new object")
    created = time_of(event)
    if now - created > OLDEST:
        raise NoBuild(f"the event is of {created.isoformat()}, more than an hour old")
    found = storage_object(event)
    uri = f"{SCHEME}{found.bucket}/{found.name}"
    if not found.name.startswith(prefix) or found.name.endswith("/"):
        raise NoBuild(f"{uri} is no object under {prefix}")
    if WRITTEN_BY_US.items() <= found.metadata.items():
        raise NoBuild(f"{uri} was written by this project's own programs: a build would start itself")
    if not _BUILDABLE(found.name):
        raise NoBuild(f"{uri!r} holds characters that a build must not paste into a command; rename it")
    return BuildRequest(source=uri, generation=found.generation, since=created)


def start_build(trigger: Trigger, request: BuildRequest) -> None:
    """Run the trigger, unless it has already run for this generation of the object.

    Raises:
        NoBuild: it has.
    """
    if (earlier := trigger.find_build(request)) is not None:
        raise NoBuild(f"build {earlier} was started for generation {request.generation} of {request.source}")
    build = trigger.run(request)
    logger.info("build started", extra={"build": build, "source": request.source, "generation": request.generation})
