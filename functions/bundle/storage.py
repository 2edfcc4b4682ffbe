"""Google Cloud Storage: the few calls that bundles, pointers and data need, with errors for people."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.cloud.storage import Bucket

SCHEME = "gs://"
WRITTEN_BY_US = {"written-by": "mlops-core"}
"""Custom metadata of every object that we write: a watcher can tell it from the objects of others."""


class StorageError(Exception):
    """Cloud Storage refuses, or has not, what was asked for."""


class Conflict(StorageError):
    """The object is not, or no longer, what the caller took it for."""


class Location:
    """A place in a bucket, with the client to reach it. `STORAGE_EMULATOR_HOST` is honoured."""

    def __init__(self, uri: str) -> None:
        """Open gs://BUCKET/PATH; the network is not touched yet.

        Raises:
            StorageError: `uri` is no such URI, or there are no credentials.
        """
        bucket, _, path = uri.removeprefix(SCHEME).partition("/")
        if not uri.startswith(SCHEME) or not bucket:
            raise StorageError(f"{uri}: is no gs://BUCKET/PATH")
        self.uri = f"{SCHEME}{bucket}/{path.strip('/')}".rstrip("/")
        self._path = path.strip("/")
        self._bucket = _open_bucket(bucket)

    def read(self, name: str = "") -> tuple[bytes, int] | None:
        """Content and generation of an object below this place, None where there is none."""
        from google.api_core import exceptions

        blob = self._bucket.blob(self._key(name))
        try:
            content = blob.download_as_bytes()
        except exceptions.NotFound:
            return None
        except exceptions.GoogleAPIError as error:
            raise StorageError(self._message(name, "can't be read", error)) from error
        return content, int(blob.generation or 0)

    def write(self, name: str, content: bytes, generation: int) -> int:
        """Write an object, if its present generation is `generation` (0: it does not exist), and give the new one.

        Raises:
            Conflict: somebody else wrote it meanwhile.
            StorageError: the bucket refuses.
        """
        from google.api_core import exceptions

        kind = "application/json" if name.endswith(".json") else "application/octet-stream"
        blob = self._bucket.blob(self._key(name))
        blob.metadata = WRITTEN_BY_US
        try:
            blob.upload_from_string(content, content_type=kind, if_generation_match=generation)
        except exceptions.PreconditionFailed as error:
            raise Conflict(
                f"{self.uri}/{name}: was written by somebody else meanwhile; look at it, then try again"
            ) from error
        except exceptions.GoogleAPIError as error:
            raise StorageError(self._message(name, "can't be written", error)) from error
        return int(blob.generation or 0)

    def _key(self, name: str) -> str:
        return "/".join(part for part in (self._path, name) if part)

    def _message(self, name: str, what: str, error: Exception) -> str:
        reason = " ".join(str(error).split())[:300]
        return (
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
        return storage.Client(project="unused").bucket(name)
    except DefaultCredentialsError as error:
        raise StorageError(f"gs://{name}: no credentials; run `gcloud auth application-default login`") from error
