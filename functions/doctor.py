"""`python -m functions.doctor`: whether the service can work with the environment that it is started in.

For a shell in the container, on a VM or a laptop. It needs nothing but the standard library to say what is missing;
each check that needs more imports it itself. Exit codes: 0 all is well, 1 something has to be put right.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from functions.bundle.storage import SCHEME, StorageError
from functions.findings import INSTALL, NETWORK_SECONDS, Finding, fault, ok, optional, report, unchecked, within
from functions.keys import KeysUnavailable, key_faults
from functions.ports import why_not_free
from functions.settings import IN_MEMORY, Settings, variables
from functions.variables import InvalidSettings

PACKAGES = ("flask", "flask_limiter", "granian", "msgspec", "numpy", "onnxruntime", "prometheus_flask_exporter")
TITLE = "The service (docs/configuration.md)"


def main() -> int:
    """Check, and write what was found; gives the exit code."""
    return report({TITLE: service_findings(os.environ)}, sys.stdout)


def service_findings(environ: Mapping[str, str]) -> list[Finding]:
    """What the service would find, started with this environment."""
    try:
        settings = Settings.from_environ(environ)
    except InvalidSettings as error:
        remedy = "correct these variables; what else there is to check depends on them"
        return [fault("settings", "\n".join(error.faults), remedy)]
    names = [variable.name for variable in variables() if environ.get(variable.name, "").strip()]
    findings = [ok("settings", f"{settings.environment}; set: {', '.join(names) or 'none'}"), _packages()]
    checks: dict[str, Callable[[Settings], list[Finding]]] = {
        "warnings": _warnings,
        "keys": _keys,
        "model": _model,
        "limits": _limits,
        "port": _port,
    }
    for name, check in checks.items():
        try:
            findings += check(settings)
        except ModuleNotFoundError as error:
            findings.append(unchecked(name, error))
    return findings


def _packages() -> Finding:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        return fault("serving packages", f"not installed: {', '.join(missing)}", INSTALL)
    return ok("serving packages", ", ".join(PACKAGES))


def _warnings(settings: Settings) -> list[Finding]:
    from functions.app import start_warnings

    return [optional("warning", warning, "") for warning in start_warnings(settings)]


def _keys(settings: Settings) -> list[Finding]:
    if not settings.authenticated:
        return []
    from functions.app import START_SECONDS, key_sources

    findings = []
    if settings.api_keys:
        findings.append(ok("keys", f"{len(settings.api_keys)} in API_KEY"))
    for source in key_sources(settings):
        try:
            keys = within(START_SECONDS, source.read)
            faults = (
                key_faults(keys, production=settings.production) if keys else ["is disabled, destroyed or not there"]
            )
        except (KeysUnavailable, TimeoutError) as error:
            faults = [str(error)]
        if faults:
            remedy = "put one key a line there, and let the service's account read it (docs/serving.md, Keys)"
            findings.append(fault("keys", f"{source.name}: {'; '.join(faults)}", remedy))
        else:
            findings.append(ok("keys", f"{len(keys)} in {source.name}"))
    return findings


def _model(settings: Settings) -> list[Finding]:
    if not settings.bundle_uri and not settings.model_dir.is_dir():
        return [fault("model", f"there is no folder {settings.model_dir}", _MODEL_REMEDY)]
    from functions.app import START_SECONDS, bundle_source
    from functions.bundle.files import BundleError
    from functions.model import Model

    source = bundle_source(settings)
    if settings.bundle_uri.startswith(SCHEME) or settings.artifact_root.startswith(SCHEME):
        import google.cloud.storage  # noqa: F401 -- it takes long, and is nothing that a bucket is waited for
    try:
        offer = within(NETWORK_SECONDS, source.look)
        candidate, where = within(START_SECONDS, offer.read)
        model = Model(candidate, where, settings.max_batch_rows)
    except (BundleError, StorageError) as error:
        return [fault("model", str(error), _MODEL_REMEDY)]
    except TimeoutError as error:
        return [fault("model", f"{source.uri}: {error}", _REACH_REMEDY)]
    return [ok("model", f"{model.metadata.name} {model.version} in {where}, answers its golden examples")]


def _limits(settings: Settings) -> list[Finding]:
    uri = settings.ratelimit_storage_uri
    if uri.startswith(IN_MEMORY):
        return [ok("limits", "counted in memory")]
    import redis

    from functions.limits import redis_options

    parts = urlsplit(uri)
    where = f"{parts.hostname}:{parts.port or 6379}"  # the whole may hold a password
    try:
        with redis.Redis.from_url(uri, **redis_options()) as client:
            within(NETWORK_SECONDS, client.ping)
    except (redis.RedisError, OSError, ValueError) as error:
        reason = type(error).__name__ if isinstance(error, ValueError) else error
        return [fault("limits", f"Redis {where}: {reason}", _REDIS_REMEDY)]
    return [ok("limits", f"Redis {where} answers")]


def _port(settings: Settings) -> list[Finding]:
    where = f"{settings.host}:{settings.port}"
    reason = why_not_free(settings.host, settings.port)
    if reason is None:
        return [ok("port", f"{where} is free")]
    status = _service_status(settings)
    if status is None:
        return [fault("port", f"{where}: {reason}", _PORT_REMEDY)]
    if status != "ready":
        return [fault("port", f"the service answers on {where}, and is {status}", _LOG_REMEDY)]
    return [ok("port", f"the service answers on {where}, and is ready")]


def _service_status(settings: Settings) -> str | None:
    """What a service on our own port says of itself, None where it is no service of ours."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 -- a comparison
    connection = HTTPConnection(host, settings.port, timeout=NETWORK_SECONDS)
    try:
        connection.request("GET", settings.health_route)
        status = json.loads(connection.getresponse().read(1000))["status"]
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return None
    finally:
        connection.close()
    return status if isinstance(status, str) else None


_MODEL_REMEDY = "make train, or correct MODEL_DIR or MODEL_URI (docs/troubleshooting.md, 503 no model)"
_REACH_REMEDY = "check the network (on a VM without an address: Cloud NAT), and the credentials"
_REDIS_REMEDY = "start it, or correct RATELIMIT_STORAGE_URI; until then each process counts for itself"
_PORT_REMEDY = "`ss -ltnp` names the program; stop it, or choose another: PORT=9000 make run"
_LOG_REMEDY = "its log says why (docs/troubleshooting.md, Quick checks)"


if __name__ == "__main__":
    sys.exit(main())
