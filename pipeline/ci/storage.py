"""Small objects in Cloud Storage, through gcloud."""

from pipeline.ci.shell import CommandFailed, Run
from pipeline.errors import DeliveryError


class Exists(DeliveryError):
    """There is such an object already."""


def read(run: Run, uri: str) -> str | None:
    """Content of an object, None where there is none.

    Raises:
        CommandFailed: it can't be read.
    """
    try:
        return run("gcloud", "storage", "cat", uri)
    except CommandFailed as error:
        if "matched no objects" in str(error):
            return None
        raise


def write(run: Run, uri: str, content: str) -> None:
    """Write an object.

    Raises:
        CommandFailed: it can't be written.
    """
    run("gcloud", "storage", "cp", "-", uri, f"--content-type={_kind(uri)}", text=content)


def create(run: Run, uri: str, content: str) -> None:
    """Write an object, if there is none.

    Raises:
        Exists: there is one.
        CommandFailed: it can't be written.
    """
    try:
        run(
            "gcloud", "storage", "cp", "-", uri, f"--content-type={_kind(uri)}", "--if-generation-match=0", text=content
        )
    except CommandFailed as error:
        if "412" in str(error) or "precondition" in str(error).lower():
            raise Exists(f"{uri} exists") from error
        raise


def delete(run: Run, uri: str) -> None:
    """Delete an object.

    Raises:
        CommandFailed: it can't be deleted.
    """
    run("gcloud", "storage", "rm", uri)


def _kind(uri: str) -> str:
    return "application/json" if uri.endswith(".json") else "text/plain"
