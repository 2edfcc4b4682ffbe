"""The service's settings: the only place in functions/ that knows environment variables."""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from functions.bundle.storage import SCHEME
from functions.keys import KeyFile, KeysUnavailable, acceptable, is_secret_version, key_faults
from functions.variables import (
    InvalidSettings,
    Variable,
    integer,
    listed,
    one_of,
    read_variables,
    setting,
    variables_of,
)

DEVELOPMENT, PRODUCTION = "development", "production"
IN_MEMORY = "memory://"
VERTEX_PORT = "AIP_HTTP_PORT"
SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"
AUTO, AUTOMATIC = "auto", "automatic"
OUR_FOLDERS = ("models/", "mlruns/", "failover/", "deployment/")
"""Where our programs write in a bucket: bundles, MLflow's artifacts, the controller's memory, the VM's image."""

THREADS = 4
"""Requests that one process works on at a time."""


def _keys_listed(text: str) -> tuple[str, ...]:
    keys = listed(text)
    if text and not keys:
        raise ValueError("holds no key")
    return keys


def _secret_versions(text: str) -> tuple[str, ...]:
    names = listed(text)
    if not all(map(is_secret_version, names)):
        raise ValueError("is no list of projects/PROJECT/secrets/SECRET/versions/VERSION")
    return names


def _place(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if separator and (f"{scheme}{separator}" != SCHEME or not rest.partition("/")[0]):
        raise ValueError("is neither gs://BUCKET/PATH nor a path")
    return text


def _artifact_root(text: str) -> str:
    """A bucket or folder; the pipeline's other stores, servers and databases, have no files to read."""
    return "" if "://" in text and not text.startswith(SCHEME) else text


_is_origin = re.compile(
    r"(?!https://.*:443$|http://.*:80$)[a-z][a-z0-9+.-]*://([a-z0-9_-][a-z0-9._-]*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
).fullmatch


def _origins(text: str) -> tuple[str, ...]:
    """Origins as browsers send them, or *: another spelling of the same is never equal to what they send."""
    origins = listed(text)
    for origin in origins:
        if origin != "*" and not _is_origin(origin):
            raise ValueError(
                f"holds {origin!r}, which is no origin as a browser sends it, such as https://app.example.com or "
                "http://localhost:3000: small letters, no port that the scheme implies, no path, no slash at the end"
            )
    return origins


def _log_level(text: str) -> str:
    return one_of(*logging.getLevelNamesMapping())(text.upper())


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("is no IP address, such as 127.0.0.1 or 0.0.0.0") from None


def _route(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("does not start with /")
    return text


def _storage(text: str) -> str:
    if not text.startswith(("memory://", "redis://", "rediss://")):
        raise ValueError("is no memory://, redis:// or rediss:// address")
    try:
        urlsplit(text).port  # noqa: B018 -- read for its check; its own message would show a part of the secret
    except ValueError:
        raise ValueError("has no usable port") from None
    return text


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the environment says, checked; `from_environ` makes one, tests make their own."""

    environment: str = setting(
        "ENVIRONMENT", one_of(DEVELOPMENT, PRODUCTION), DEVELOPMENT, "`development` or `production`"
    )
    api_keys: tuple[str, ...] = setting(
        "API_KEY",
        _keys_listed,
        "",
        "the key that clients send as `X-API-Key`; several, comma separated, while one replaces another. "
        "At least 32 characters each in production; without one, development serves unauthenticated",
        secret=True,
    )
    api_key_file: Path | None = setting(
        "API_KEY_FILE",
        lambda text: Path(text) if text else None,
        "",
        "a file that holds keys, one a line, such as a mounted secret; read again while the service runs",
    )
    api_key_secrets: tuple[str, ...] = setting(
        "API_KEY_SECRET",
        _secret_versions,
        "",
        "versions of secrets in Secret Manager that hold keys, one a line: "
        "`projects/P/secrets/S/versions/latest`, several comma separated; read again while the service runs",
        secret=True,  # who pastes the key itself here does not find it in the log
    )
    cors_origins: tuple[str, ...] = setting(
        "CORS_ORIGINS",
        _origins,
        "",
        "origins of the browsers' pages that may call the service, such as `https://app.example.com`, comma separated; "
        "`*` in development when it is not set, never in production",
    )
    log_level: str = setting("LOG_LEVEL", _log_level, "INFO", "least severity that is logged")
    model_dir: Path = setting(
        "MODEL_DIR", Path, "models", "folder of the bundle to serve, or to stand in while `MODEL_URI` can't be loaded"
    )
    model_uri: str = setting(
        "MODEL_URI",
        _place,
        "",
        "a pointer (`gs://BUCKET/models/champion.json`) or a bundle's folder, here or in Cloud Storage; "
        "wins over `MODEL_DIR`",
    )
    model_reload_seconds: int = setting(
        "MODEL_RELOAD_SECONDS",
        integer(0, 86400),
        "60",
        "least time between two looks for another model at `MODEL_URI`; 0: keep the one that was loaded",
    )
    artifact_root: str = setting(
        "MLFLOW_TRACKING_URI",
        _artifact_root,
        "",
        "where MLflow's artifacts are, such as `gs://BUCKET/mlruns/`: the model is taken from there when `MODEL_DIR` "
        "has a metadata.json and no model.onnx",
    )
    host: str = setting(
        "HOST",
        _host,
        "127.0.0.1",
        "address to listen on; `0.0.0.0` in production when it is not set, so that an unauthenticated "
        "development server is never reachable by accident",
    )
    port: int = setting("PORT", integer(1, 65535), "8000", "port to listen on")
    workers: int = setting("WORKERS", integer(1, 64), "1", "serving processes; scale by instances instead")
    metrics_dir: Path | None = setting(
        SHARED_METRICS,
        lambda text: Path(text) if text else None,
        "",
        "folder in which several `WORKERS` count their metrics together, emptied at start; "
        "one of its own in `/dev/shm`, else in `TMPDIR`, when it is not set",
    )
    rate_limit_predict: int = setting(
        "RATE_LIMIT_PREDICT", integer(1, 10**9), "10", "predictions a minute, per key, else per client"
    )
    rate_limit_health: int = setting("RATE_LIMIT_HEALTH", integer(1, 10**9), "30", "`/health` a minute, per client")
    rate_limit_model_info: int = setting(
        "RATE_LIMIT_MODEL_INFO", integer(1, 10**9), "20", "`/model/info` a minute, per key, else per client"
    )
    rate_limit_auth_failures: int = setting(
        "RATE_LIMIT_AUTH_FAILURES",
        integer(1, 10**9),
        "10",
        "refused keys a minute, per client; then the client has to wait, whatever it sends",
    )
    ratelimit_storage_uri: str = setting(
        "RATELIMIT_STORAGE_URI",
        _storage,
        "memory://",
        "where the limits count: `memory://` or `redis://HOST:PORT`",
        secret=True,
    )
    trusted_proxy_hops: int = setting(
        "TRUSTED_PROXY_HOPS",
        integer(0, 10),
        "0",
        "proxies in front that append to X-Forwarded-For: 1 on Cloud Run, 2 behind its load balancer",
    )
    max_request_bytes: int = setting(
        "MAX_REQUEST_BYTES", integer(1024, 2**31 - 1), str(32 * 1024 * 1024), "largest request body"
    )
    max_batch_rows: int = setting("MAX_BATCH_ROWS", integer(1, 10**7), "100000", "most rows in one request")
    project: str = setting(
        "GOOGLE_CLOUD_PROJECT", str, "", "project that the traces in the log belong to; set by Terraform on Cloud Run"
    )
    vertex_port: int | None = setting(
        VERTEX_PORT,
        lambda text: integer(1, 65535)(text) if text else None,
        "",
        "set by Vertex AI: wins over `PORT`; its IAM then stands in for the key and the limit per client",
    )
    health_route: str = setting(
        "AIP_HEALTH_ROUTE", _route, "/health/ready", "set by Vertex AI: a further path of the readiness probe"
    )
    predict_route: str = setting(
        "AIP_PREDICT_ROUTE", _route, "/predict", "set by Vertex AI: a further path of predictions"
    )
    vertex_model_uri: str = setting(
        "AIP_STORAGE_URI", _place, "", "set by Vertex AI: the bundle's folder, when `MODEL_URI` is not set"
    )
    vertex_ai: bool = False

    @property
    def production(self) -> bool:
        """Whether this is a production environment."""
        return self.environment == PRODUCTION

    @property
    def authenticated(self) -> bool:
        """Whether clients need a key: not in development without one, nor behind Vertex AI's IAM."""
        return bool(self.api_keys or self.api_key_file or self.api_key_secrets) and not self.vertex_ai

    @property
    def bundle_uri(self) -> str:
        """The bundle or pointer that is asked for explicitly; empty: the bundle is in `model_dir`."""
        return self.model_uri or (self.vertex_model_uri if self.vertex_ai else "")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings.

        Raises:
            InvalidSettings: lists each variable that can't be used, with the reason.
        """
        vertex = bool(environ.get(VERTEX_PORT, "").strip())
        values, faults = read_variables(cls, environ)
        if "vertex_port" in values:
            values["port"] = values["vertex_port"]
        production = values.get("environment") == PRODUCTION
        values.setdefault("cors_origins", () if production else ("*",))
        values.setdefault("host", "0.0.0.0" if production or vertex else "127.0.0.1")  # noqa: S104 -- a container's port
        faults += _key_faults(values, production=production)
        if production and not vertex:
            wrong = {fault.partition(":")[0] for fault in faults}
            faults += [fault for fault in _missing(values) if fault.partition(":")[0] not in wrong]
        if "*" in values["cors_origins"] and production:
            faults.append("CORS_ORIGINS: * would let every web page call it; list the origins")
        if faults:
            raise InvalidSettings(faults)
        return cls(vertex_ai=vertex, **values)


def variables() -> list[Variable]:
    """All environment variables that the service reads, in the order of their declaration."""
    return variables_of(Settings)


def _key_faults(values: Mapping[str, Any], *, production: bool) -> list[str]:
    """What is wrong with the keys that can be read at once."""
    faults = [f"API_KEY: {fault}" for fault in key_faults(values.get("api_keys", ()), production=production)]
    path: Path | None = values.get("api_key_file")
    if path is None:
        return faults
    # Only what no running instance would take either: the file may change, and a start must not be what finds out.
    try:
        keys = KeyFile(path).read()
    except KeysUnavailable:  # ApiKeys says so, and goes on trying
        return faults
    if not acceptable(keys, production=production):
        faults += [f"API_KEY_FILE: {str(path)!r}: {fault}" for fault in key_faults(keys, production=production)]
    return faults


def _missing(values: Mapping[str, Any]) -> list[str]:
    """What production can't do without."""
    faults = []
    if not any(values.get(name) for name in ("api_keys", "api_key_file", "api_key_secrets")):
        faults.append(
            "API_KEY: production needs a key; make one with `openssl rand -hex 32`, "
            "or set API_KEY_FILE or API_KEY_SECRET"
        )
    if not values["cors_origins"]:
        faults.append("CORS_ORIGINS: production needs the origins that may call it, such as https://app.example.com")
    return faults


def _resource(pattern: str, example: str) -> Callable[[str], str]:
    """Reads the name of a Google Cloud resource."""

    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"is no {example}")
        return text

    return read


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("is no https://HOST or http://HOST")
    return text.rstrip("/")


def _header_value(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._~-]+", text):
        raise ValueError("holds other characters than letters, digits and . _ ~ -")
    return text


def _watched_folder(text: str) -> str:
    if text.startswith("/") or not text.endswith("/"):
        raise ValueError("is no folder such as data/")
    for folder in OUR_FOLDERS:
        if text.startswith(folder) or folder.startswith(text):
            raise ValueError(f"holds what our own programs write under {folder}: a build would start itself")
    return text


@dataclass(frozen=True, kw_only=True)
class RetrainSettings:
    """What the function `retrain` reads."""

    trigger: str = setting(
        "RETRAIN_TRIGGER",
        _resource("projects/[^/]+/locations/[^/]+/triggers/[^/]+", "projects/P/locations/R/triggers/ID"),
        "",
        "the Cloud Build trigger that trains: `projects/P/locations/R/triggers/ID`",
    )
    prefix: str = setting(
        "RETRAIN_PREFIX", _watched_folder, "data/", "folder of the watched bucket whose new objects start a build"
    )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> RetrainSettings:
        """Read the settings.

        Raises:
            InvalidSettings: lists each variable that can't be used or is missing.
        """
        return cls(**_complete(cls, environ))


@dataclass(frozen=True, kw_only=True)
class FailoverSettings:
    """What the controller of the VM fallback reads."""

    url: str = setting(
        "FAILOVER_URL", _base_url, "", "the load balancer: `https://DOMAIN`, or `http://ADDRESS` in a trial without one"
    )
    probe_token: str = setting(
        "FAILOVER_PROBE_TOKEN",
        _header_value,
        "",
        "secret part of the header by which the load balancer routes a probe to one backend",
        secret=True,
    )
    proxy: str = setting(
        "FAILOVER_PROXY",
        _resource("projects/[^/]+/global/targetHttps?Proxies/[^/]+", "projects/P/global/targetHttpsProxies/NAME"),
        "",
        "the load balancer's proxy: `projects/P/global/targetHttpsProxies/NAME`, or `.../targetHttpProxies/NAME`",
    )
    primary_url_map: str = setting(
        "FAILOVER_PRIMARY_URL_MAP",
        _resource("projects/[^/]+/global/urlMaps/[^/]+", "projects/P/global/urlMaps/NAME"),
        "",
        "URL map while Cloud Run serves: `projects/P/global/urlMaps/NAME`",
    )
    fallback_url_map: str = setting(
        "FAILOVER_FALLBACK_URL_MAP",
        _resource("projects/[^/]+/global/urlMaps/[^/]+", "projects/P/global/urlMaps/NAME"),
        "",
        "URL map while the VM serves: `projects/P/global/urlMaps/NAME`",
    )
    vm_backend: str = setting(
        "FAILOVER_VM_BACKEND",
        _resource("projects/[^/]+/global/backendServices/[^/]+", "projects/P/global/backendServices/NAME"),
        "",
        "backend service of the VM: `projects/P/global/backendServices/NAME`",
    )
    state_uri: str = setting(
        "FAILOVER_STATE_URI",
        _resource("gs://[^/]+/(.+/)?[^/]+", "gs://BUCKET/PATH"),
        "",
        "object that all controllers share their memory in: `gs://BUCKET/failover/state.json`",
    )
    active_backend: str = setting(
        "FAILOVER_ACTIVE_BACKEND",
        one_of(AUTO, "cloud_run", "vm"),
        AUTO,
        "`auto`, or the backend that the operator has pinned, `cloud_run` or `vm`: then the controller turns nothing",
    )
    failback: str = setting(
        "FAILOVER_FAILBACK",
        one_of("manual", AUTOMATIC),
        "manual",
        "`manual`, or `automatic`: back to Cloud Run once it was up for 15 minutes",
    )

    @property
    def pinned(self) -> bool:
        """Whether the operator has decided which backend serves."""
        return self.active_backend != AUTO

    @property
    def automatic_failback(self) -> bool:
        """Whether the controller turns back to Cloud Run while the VM is up."""
        return self.failback == AUTOMATIC

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> FailoverSettings:
        """Read the settings.

        Raises:
            InvalidSettings: lists each variable that can't be used or is missing.
        """
        return cls(**_complete(cls, environ))


def _complete(settings: type, environ: Mapping[str, str]) -> dict[str, Any]:
    """The values that are set, of settings that need each variable without a default."""
    values, faults = read_variables(settings, environ)
    missing = [
        variable
        for variable in variables_of(settings)
        if not variable.default and not environ.get(variable.name, "").strip()
    ]
    faults += [f"{variable.name}: is not set; {variable.meaning}" for variable in missing]
    if faults:
        raise InvalidSettings(faults)
    return values
