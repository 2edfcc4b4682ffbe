"""What goes wrong, as problem details (RFC 9457): one shape for every error outside /v2."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import msgspec

PROBLEM_JSON = "application/problem+json"
PROBLEM_TYPE = "urn:mlops-core:problem:"


class Fault(msgspec.Struct, frozen=True):
    """One invalid field: where it is, such as `instances[3].width`, and what is wrong with it."""

    field: str
    message: str


OUT_OF_BOUNDS, MISSING = "out_of_bounds", "missing"
REFUSALS = (OUT_OF_BOUNDS, MISSING)


class Refusal(NamedTuple):
    """Why a feature's value is refused: OUT_OF_BOUNDS or MISSING."""

    feature: str
    reason: str


class Problem(Exception):
    """An error that is answered to the client; subclasses say which."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    kind: ClassVar[str] = "internal-error"

    def __init__(
        self, detail: str, faults: list[Fault] | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Say what is wrong and what to do: `detail` for people, `faults` per field for programs."""
        super().__init__(detail)
        self.detail = detail
        self.faults = faults or []
        self.headers = dict(headers or {})


class MalformedRequest(Problem):
    """The body is no JSON."""

    status = HTTPStatus.BAD_REQUEST
    kind = "malformed-json"


class MissingKey(Problem):
    """A route that needs a key was called without one."""

    status = HTTPStatus.UNAUTHORIZED
    kind = "missing-key"


class WrongKey(Problem):
    """The key is not accepted."""

    status = HTTPStatus.FORBIDDEN
    kind = "wrong-key"


class UnsupportedMediaType(Problem):
    """The body does not say that it is JSON."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    kind = "not-json"


class TooLarge(Problem):
    """More rows than one request may have."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    kind = "too-large"


class InvalidInstances(Problem):
    """Rows do not fit the model's features; `refused` counts the values that are out of bounds or missing."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    kind = "invalid-instances"
    refused: Mapping[Refusal, int] = MappingProxyType({})


class TooManyRequests(Problem):
    """A limit is reached."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    kind = "too-many-requests"


class NoModel(Problem):
    """There is no model to answer with."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    kind = "no-model"


class NoKeys(Problem):
    """Callers need a key, and none could be read yet."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    kind = "no-keys"


def problem_body(status: int, kind: str, detail: str, request_id: str, faults: list[Fault] | None = None) -> bytes:
    """The problem details of one error, as JSON."""
    body: dict[str, Any] = {
        "type": PROBLEM_TYPE + kind,
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "instance": request_id,
    }
    if faults:
        body["errors"] = faults
    return msgspec.json.encode(body)
