"""CloudEvents as they arrive: their time, and the Storage objects that they tell of."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent

OBJECT_FINALIZED = "google.cloud.storage.object.v1.finalized"

_T = TypeVar("_T")


class MalformedEvent(ValueError):
    """The event is not what its type promises; the message says why. Delivering it again changes nothing."""


class StorageObject(msgspec.Struct, frozen=True, rename="camel"):
    """The data of a finalized event that we use.

    https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/storage/v1/data.proto
    """

    bucket: Annotated[str, msgspec.Meta(min_length=1)]
    name: Annotated[str, msgspec.Meta(min_length=1)]
    generation: Annotated[int, msgspec.Meta(gt=0)]
    metadata: dict[str, str] = {}


class _Attributes(msgspec.Struct):
    time: Annotated[datetime, msgspec.Meta(tz=True)]


def time_of(event: "CloudEvent") -> datetime:
    """When the event came about, in UTC; deliveries that are repeated keep that time.

    Raises:
        MalformedEvent: its time is no RFC 3339 time.
    """
    return _convert(dict(event.get_attributes()), _Attributes).time.astimezone(UTC)


def storage_object(event: "CloudEvent") -> StorageObject:
    """The object that the event tells of.

    Raises:
        MalformedEvent: its data names none.
    """
    return _convert(event.get_data(), StorageObject)


def _convert(content: object, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(content, kind, strict=False)
    except msgspec.ValidationError as error:
        raise MalformedEvent(f"the event is malformed: {error}") from error
