"""Parameters, data, MLflow and the DVC remote. What needs packages imports them in its check."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from socket import create_connection
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from functions.bundle.storage import SCHEME, Location, StorageError
from functions.findings import NETWORK_SECONDS, Finding, fault, ok, optional, unchecked, within
from pipeline.doctor.machine import LOGIN

DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def training_findings(root: Path, environ: Mapping[str, str]) -> list[Finding]:
    """What the pipeline in `root` would find."""
    checks: dict[str, Callable[[], Finding]] = {
        "data": lambda: check_data(root),
        "mlflow": lambda: check_mlflow(environ.get("MLFLOW_TRACKING_URI", "")),
        "dvc remote": lambda: check_dvc(root),
    }
    findings = []
    for name, check in checks.items():
        try:
            findings.append(check())
        except ModuleNotFoundError as error:
            findings.append(unchecked(name, error))
    return findings


def check_data(root: Path) -> Finding:
    """Whether params.yaml can be used, and the file is there that it names."""
    from pipeline.errors import InvalidParams
    from pipeline.params import PARAMS_FILE, read_params

    try:
        source = read_params(root / PARAMS_FILE).data.source
    except InvalidParams as error:
        return fault("data", str(error), "correct params.yaml (docs/experiments.md, Parameters)")
    if source.startswith(SCHEME):
        return _asked("data", source, lambda: _object_in(source))
    if not (root / source).exists():
        return fault(
            "data", f"{source}: no such file", f"correct data.source, or dvc pull {source}.dvc if DVC keeps it"
        )
    return ok("data", source)


def check_mlflow(uri: str) -> Finding:
    """Whether the store that MLFLOW_TRACKING_URI names can be used; a password in it is not shown."""
    from pipeline.errors import TrackingError
    from pipeline.tracking import parse_store

    shown = without_password(uri)
    try:
        store = parse_store(uri or None)
    except TrackingError as error:
        return fault("mlflow", str(error).replace(uri, shown), "correct or unset MLFLOW_TRACKING_URI")
    if store.artifact_root is not None:
        return _asked("mlflow", store.artifact_root, lambda: _list(store.artifact_root or ""))
    scheme = urlsplit(store.uri).scheme.partition("+")[0]
    if scheme in ("http", "https"):
        return _asked("mlflow", shown, lambda: _health(shown))
    if scheme in DATABASE_PORTS:
        return _asked("mlflow", shown, lambda: _connect(store.uri, DATABASE_PORTS[scheme]))
    return ok("mlflow", without_password(store.uri))


def check_dvc(root: Path) -> Finding:
    """Whether DVC works here, and reaches its remote, if there is one."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        config = Repo(str(root)).config
    except DvcException as error:
        remedy = "run in a Git checkout, or, in an archive: dvc config --local core.no_scm true"
        return fault("dvc remote", f"DVC can't be used here: {error}", remedy)
    name = config["core"].get("remote")
    if name is None:
        return optional("dvc remote", "none (make dvc-push, make dvc-pull)", "make dvc-init PROJECT_ID=my-project")
    if name not in config["remote"]:
        return fault(
            "dvc remote", f"{name!r} has no address", f"dvc remote add --default {name} gs://PROJECT-dvc-cache"
        )
    remote: dict[str, Any] = config["remote"][name]
    url = without_password(str(remote["url"]))
    if "credentialpath" in remote:
        return ok("dvc remote", f"{url}, with credentials of its own: dvc status --cloud asks it")
    if url.startswith(SCHEME):
        return _asked("dvc remote", url, lambda: _list(url))
    if "://" in url:
        return ok("dvc remote", f"{url}: dvc status --cloud asks it")
    if not Path(url).is_dir():
        return fault("dvc remote", f"{url}: no such folder", f"make it, or dvc remote modify {name} url ...")
    return ok("dvc remote", url)


def without_password(uri: str) -> str:
    """An address from its host on, without a query: a password stands before the one or in the other."""
    scheme, separator, rest = uri.partition("://")
    if not separator or uri.startswith(SCHEME):
        return uri
    return f"{scheme}{separator}{rest.partition('?')[0].rpartition('@')[2]}"


class _Refused(Exception):
    """Something answered, and not as it should."""


def _asked(name: str, where: str, ask: Callable[[], None]) -> Finding:
    remedy = f"check the name, the network and the credentials ({LOGIN}), and their roles on the bucket"
    if not where.startswith(SCHEME):
        remedy = "start that server, or correct or unset MLFLOW_TRACKING_URI"
    else:
        import google.cloud.storage  # noqa: F401 -- it takes long, and is nothing that a bucket is waited for
    try:
        within(NETWORK_SECONDS, ask)
    except (OSError, HTTPException, StorageError, _Refused) as error:
        return fault(name, f"{where}: {error}", remedy)
    return ok(name, f"{where} answers")


def _object_in(uri: str) -> None:
    folder, _, name = uri.rpartition("/")
    if Location(folder).generation(name) is None:
        raise _Refused("is not there")


def _list(uri: str) -> None:
    """Ask for the first object below `uri`: a bucket that is not there refuses that, as one of somebody else does."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import storage

    bucket, _, prefix = uri.removeprefix(SCHEME).partition("/")
    try:
        client = storage.Client(project="unused")
        found = client.list_blobs(bucket, prefix=prefix, max_results=1, timeout=NETWORK_SECONDS, retry=None)
        next(iter(found), None)
    except (GoogleAPIError, GoogleAuthError, ValueError) as error:
        raise _Refused(" ".join(str(error).split())[:300]) from error


def _health(uri: str) -> None:
    """Ask an MLflow server for its health; one that wants to know first who asks is there too."""
    try:
        with urlopen(f"{uri.rstrip('/')}/health", timeout=NETWORK_SECONDS):  # noqa: S310 -- http or https, as was asked
            pass
    except HTTPError as error:
        error.close()
        if error.code not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise


def _connect(uri: str, default_port: int) -> None:
    parts = urlsplit(uri)
    try:
        port = parts.port or default_port
    except ValueError:
        raise _Refused("has no usable port") from None
    with create_connection((parts.hostname or "localhost", port), timeout=NETWORK_SECONDS):
        pass
