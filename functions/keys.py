"""API keys: which are acceptable, and where they are read from."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient

MINIMUM_KEY_LENGTH = 32
"""Characters, in production."""

ACCESS_SECONDS = 2.0
"""For one version of a secret, retries included: a request may wait for it."""

is_secret_version = re.compile(r"projects/[^/\s]+/secrets/[^/\s]+/versions/[^/\s]+").fullmatch


class KeysUnavailable(Exception):
    """The keys can't be read; the message says why, and shows nothing of what was read."""


class KeySource(Protocol):
    """A place that holds keys; `name` may be logged."""

    name: str

    def read(self) -> Sequence[str]:
        """The keys that it holds now; none if they were taken away.

        Raises:
            KeysUnavailable: it can't be read.
        """


class KeyFile:
    """A file with one key a line, such as a mounted secret."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is not read yet."""
        self.name = str(path)
        self._path = path

    def read(self) -> Sequence[str]:
        """The file's keys.

        Raises:
            KeysUnavailable: it can't be read, or holds no key.
        """
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise KeysUnavailable(str(error.strerror)) from None
        return _lines(content)


class SecretVersion:
    """A version of a secret in Secret Manager with one key a line."""

    def __init__(self, name: str, manager: "SecretManager") -> None:
        """Name projects/P/secrets/S/versions/V; it is not read yet."""
        self.name = name
        self._manager = manager

    def read(self) -> Sequence[str]:
        """The version's keys; none if it, or its secret, was disabled, destroyed or deleted.

        Raises:
            KeysUnavailable: it can't be read, or holds no key.
        """
        content = self._manager.access(self.name)
        return () if content is None else _lines(content)


class SecretManager:
    """Google Cloud's Secret Manager, reached when it is first needed."""

    def __init__(self, connect: "Callable[[], SecretManagerServiceClient] | None" = None) -> None:
        """Reach it with the client that `connect` makes, by default with the credentials of the environment."""
        self._connect = connect or _connect
        self._client: SecretManagerServiceClient | None = None

    def access(self, name: str) -> bytes | None:
        """The content of a version, None if it is not there, or no more.

        Raises:
            KeysUnavailable: Secret Manager refuses or is out of reach, or there are no credentials.
        """
        from google.api_core import exceptions, retry
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

        # the delays grow, and have jitter
        patience = retry.Retry(initial=0.1, maximum=0.5, timeout=ACCESS_SECONDS)
        try:
            if self._client is None:
                self._client = self._connect()
            response = self._client.access_secret_version(name=name, retry=patience, timeout=ACCESS_SECONDS)
        except (exceptions.NotFound, exceptions.FailedPrecondition):
            return None
        except DefaultCredentialsError as error:
            raise KeysUnavailable(f"no credentials ({error}); give the service an account") from None
        except (exceptions.GoogleAPIError, GoogleAuthError) as error:
            self._disconnect()
            reason = " ".join(str(error).split())[:600]
            raise KeysUnavailable(
                f"{reason}; check the name, and the account's role secretmanager.secretAccessor"
            ) from None
        return bytes(response.payload.data)

    def _disconnect(self) -> None:
        """Begin anew: a channel that failed waits longer and longer before it connects again."""
        if self._client is not None:
            self._client.transport.close()  # type: ignore[no-untyped-call]
            self._client = None


def key_faults(keys: Sequence[str], *, production: bool) -> list[str]:
    """What is wrong with some of the keys, without showing any."""
    unsendable = sum(not _sendable(key) for key in keys)
    short = sum(len(key) < MINIMUM_KEY_LENGTH for key in keys) if production else 0
    faults = []
    if unsendable:
        faults.append(f"{unsendable} of {len(keys)} keys hold other characters than printable ASCII")
    if short:
        faults.append(f"{short} of {len(keys)} keys are shorter than {MINIMUM_KEY_LENGTH} characters")
    return faults


def acceptable(keys: Sequence[str], *, production: bool) -> list[str]:
    """The keys that have no fault."""
    return [key for key in keys if not key_faults([key], production=production)]


def _sendable(key: str) -> bool:
    return key.isascii() and key.isprintable()


def _lines(content: bytes) -> Sequence[str]:
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError:
        raise KeysUnavailable("is no UTF-8 text") from None
    keys = [line.strip() for line in lines if line.strip()]
    if not keys:
        raise KeysUnavailable("holds no key")
    return keys


def _connect() -> "SecretManagerServiceClient":
    # gRPC writes to standard error of its own accord, and the service's log is JSON; its errors are told there
    os.environ["GRPC_VERBOSITY"] = "NONE"
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient

    return SecretManagerServiceClient()
