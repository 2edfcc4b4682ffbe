"""Google Cloud Storage: the few calls that bundles, pointers and data need, with errors for people."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Bucket
    from requests import Response

SCHEME = "gs://"
WRITTEN_BY_US = {"written-by": "mlops-core"}
"""Custom metadata of every object that we write: a watcher can tell it from the objects of others."""

TIMEOUTS = (3.0, 10.0)
"""Seconds to connect, and of silence while an answer is read."""

RETRY_SECONDS = 20.0
"""After this, what failed is not tried again; a try that is under way may end later, by TIMEOUTS."""


class StorageError(Exception):
    """A bucket or folder refuses, or has not, what was asked for."""


class Conflict(StorageError):
    """The object is not, or no longer, what the caller took it for."""


class Location:
    """A place in a bucket, with the client to reach it. `STORAGE_EMULATOR_HOST` is honoured."""

    def __init__(self, uri: str) -> None:
        """Open gs://BUCKET/PATH; the bucket is not asked yet.

        Raises:
            StorageError: `uri` is no such URI, or there are no credentials.
        """
        bucket, _, path = uri.removeprefix(SCHEME).partition("/")
        if not uri.startswith(SCHEME) or not bucket:
            raise StorageError(f"{uri}: is no gs://BUCKET/PATH")
        self.uri = f"{SCHEME}{bucket}/{path.strip('/')}".rstrip("/")
        self._path = path.strip("/")
        self._bucket = _open_bucket(bucket)
        self._patience = _patience()

    def read(self, name: str = "") -> tuple[bytes, int] | None:
        """Content and generation of an object below this place, None where there is none.

        Raises:
            StorageError: the bucket refuses, or is out of reach.
        """
        from google.api_core import exceptions

        blob = self._blob(name)
        try:
            content = blob.download_as_bytes(**self._patience)
        except exceptions.NotFound:
            return None
        except _failures() as error:
            raise self._error(name, "can't be read", error) from error
        return content, int(blob.generation or 0)

    def generation(self, name: str) -> int | None:
        """Generation of an object below this place, None where there is none.

        Raises:
            StorageError: the bucket refuses, or is out of reach.
        """
        from google.api_core import exceptions

        blob = self._blob(name)
        try:
            blob.reload(**self._patience)
        except exceptions.NotFound:
            return None
        except _failures() as error:
            raise self._error(name, "can't be read", error) from error
        return int(blob.generation or 0)

    def write(self, name: str, content: bytes, generation: int) -> int:
        """Write an object, if its present generation is `generation` (0: it does not exist), and give the new one.

        Raises:
            Conflict: somebody else wrote it meanwhile.
            StorageError: the bucket refuses, or is out of reach.
        """
        from google.api_core import exceptions

        kind = "application/json" if name.endswith(".json") else "application/octet-stream"
        blob = self._blob(name)
        blob.metadata = WRITTEN_BY_US
        try:
            blob.upload_from_string(content, content_type=kind, if_generation_match=generation, **self._patience)
        except exceptions.PreconditionFailed as error:
            raise Conflict(
                f"{self.uri}/{name}: was written by somebody else meanwhile; look at it, then try again"
            ) from error
        except _failures() as error:
            raise self._error(name, "can't be written", error) from error
        return int(blob.generation or 0)

    def _blob(self, name: str) -> "Blob":
        return self._bucket.blob("/".join(part for part in (self._path, name) if part))

    def _error(self, name: str, what: str, error: Exception) -> StorageError:
        reason = " ".join(str(error).split())[:600]
        return StorageError(
            f"{self.uri}/{name}".rstrip("/") + f": {what} ({reason}); check the name, your credentials "
            "(`gcloud auth application-default login`) and their roles on the bucket"
        )


def read_object(uri: str) -> bytes:
    """Content of one object.

    Raises:
        StorageError: there is no such object, or it can't be read.
    """
    found = Location(uri).read()
    if found is None:
        raise StorageError(f"{uri}: no such object; correct the URI")
    return found[0]


def _open_bucket(name: str) -> "Bucket":
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    try:
        # A project is needed only to make or list buckets.
        client = storage.Client(project="unused")
        client._http.hooks["response"].append(_read_error)
        return client.bucket(name)
    except DefaultCredentialsError as error:
        raise StorageError(
            f"{SCHEME}{name}: no credentials ({error}); run `gcloud auth application-default login`, "
            "or on Google Cloud give the service an account"
        ) from error
    except ValueError as error:
        raise StorageError(f"{SCHEME}{name}: {error}") from error


def _read_error(response: "Response", **_: object) -> None:
    """Read an error's answer, which the client leaves unread: its connection would stay open until it is collected."""
    if not response.ok:
        response.content  # noqa: B018 -- reading it is the point


def _patience() -> dict[str, Any]:
    """How long a call may take. Its retries wait longer each time, with jitter, as api_core's do."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    retry = DEFAULT_RETRY.with_delay(initial=0.2, maximum=4.0, multiplier=2.0).with_timeout(RETRY_SECONDS)
    return {"timeout": TIMEOUTS, "retry": retry}


def _failures() -> tuple[type[Exception], ...]:
    """What the client raises: errors of the API, of the credentials, of a checksum, of the network."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption

    return GoogleAPIError, GoogleAuthError, DataCorruption, OSError
