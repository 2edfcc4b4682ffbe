"""The pointer that names the version which serves: gs://BUCKET/models/champion.json."""

from typing import Annotated

import msgspec

POINTER = "champion.json"

Version = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class InvalidPointer(ValueError):
    """The object is no pointer; the message says why."""


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """Which version serves.

    `path` is the bundle's folder relative to the pointer, `digest` the sha256 of its model.onnx,
    `previous` the version that served before.
    """

    version: Version
    path: Version
    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    previous: Version | None = None


def parse_pointer(content: bytes) -> Pointer:
    """The pointer that `content` holds.

    Raises:
        InvalidPointer: it holds none.
    """
    try:
        return msgspec.json.decode(content, type=Pointer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidPointer(f"is no pointer to a bundle ({error})") from error
