"""Python, packages, tools, ports and credentials of this machine; needs the standard library alone."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from functions.findings import INSTALL, Finding, fault, ok, optional
from functions.ports import why_not_free

TOOL_SECONDS = 5.0
"""For the version of one tool; they are asked at the same time."""

TEST_PROGRAMS = (
    "chromium",
    "docker-registry",
    "haproxy",
    "openssl",
    "prometheus",
    "redis-server",
    "shellcheck",
    "strace",
    "wrk",
)
GOOGLE_MACHINE = Path("/sys/class/dmi/id/product_name")
LOGIN = "gcloud auth application-default login"


@dataclass(frozen=True)
class Tool:
    """A program that some commands need; `command` prints its version, or fails if it can't be used."""

    name: str
    command: tuple[str, ...]
    needed_for: str
    remedy: str


TOOLS = (
    Tool(
        "docker",
        ("docker", "version", "--format", "{{.Server.Version}}"),
        "make build, make run-docker",
        "https://docs.docker.com/engine/install/, then start it (systemctl start docker) and let your user reach it",
    ),
    Tool(
        "docker compose",
        ("docker", "compose", "version", "--short"),
        "make run-docker",
        "https://docs.docker.com/compose/install/",
    ),
    Tool(
        "terraform",
        ("terraform", "version"),
        "make bootstrap, make terraform-apply",
        "https://developer.hashicorp.com/terraform/install",
    ),
    Tool("gcloud", ("gcloud", "version"), "make bootstrap", "https://cloud.google.com/sdk/docs/install"),
    Tool("kubectl", ("kubectl", "version", "--client"), "make k8s-deploy", "https://kubernetes.io/docs/tasks/tools/"),
    Tool(
        "gke-gcloud-auth-plugin",
        ("gke-gcloud-auth-plugin", "--version"),
        "make k8s-deploy K8S_OVERLAY=gke",
        "gcloud components install gke-gcloud-auth-plugin, or apt-get install google-cloud-cli-gke-gcloud-auth-plugin",
    ),
)


def machine_findings(root: Path, environ: Mapping[str, str]) -> list[Finding]:
    """What this machine has of what the project in `root` needs."""
    with ThreadPoolExecutor(len(TOOLS)) as pool:
        tools = list(pool.map(lambda tool: check_tool(tool, minimum_version(tool.name, root)), TOOLS))
    return [
        check_python(sys.version_info[:2], (root / "pyproject.toml").read_text(encoding="utf-8")),
        *check_packages(root),
        check_test_programs(),
        *tools,
        *check_ports((root / "compose.yaml").read_text(encoding="utf-8"), environ),
        check_credentials(environ),
    ]


def check_python(version: tuple[int, int], pyproject: str) -> Finding:
    """Whether this Python is one that pyproject.toml allows."""
    required = tomllib.loads(pyproject)["project"]["requires-python"]
    least, above = (tuple(map(int, bound)) for bound in re.findall(r"(\d+)\.(\d+)", required))
    found = f"{version[0]}.{version[1]}, where {required} is required"
    if least <= version < above:
        return ok("python", found)
    return fault("python", found, "rm -r .venv, then name another: make PYTHON=python3.13 install")


def check_packages(root: Path) -> list[Finding]:
    """Whether .venv holds what the lock files say, by the stamps that make goes by."""
    venv = root / ".venv"
    if not (venv / "bin/python").exists():
        if importlib.util.find_spec("ensurepip") is None:
            return [fault("packages", "this Python can't make environments", "apt-get install python3-venv")]
        return [fault("packages", ".venv is not there", INSTALL)]
    if not _fresh(venv / ".pipeline", root, "pipeline"):
        return [fault("packages", ".venv is not what requirements/pipeline.txt says", INSTALL)]
    findings = [ok("packages", "as requirements/pipeline.txt says")]
    if not _fresh(venv / ".development", root, "development"):
        found = ".venv is not what requirements/development.txt says (make test, make lint)"
        findings.append(optional("test packages", found, "make install"))
    return findings


def _fresh(stamp: Path, root: Path, group: str) -> bool:
    sources = (root / f"requirements/{group}.txt", root / "pyproject.toml")
    return stamp.exists() and all(source.stat().st_mtime <= stamp.stat().st_mtime for source in sources)


def check_test_programs() -> Finding:
    """Whether the programs that some tests use are there."""
    missing = [name for name in TEST_PROGRAMS if shutil.which(name) is None]
    if missing:
        found = f"no {', '.join(missing)}: the tests that need them are skipped"
        return optional("test programs", found, f"apt-get install {' '.join(missing)}")
    return ok("test programs", ", ".join(TEST_PROGRAMS))


def minimum_version(name: str, root: Path) -> tuple[int, ...]:
    """The oldest version of a tool that the project takes; any, unless a file of ours says so."""
    if name != "terraform":
        return ()
    text = (root / "terraform/versions.tf").read_text(encoding="utf-8")
    found = re.search(r'required_version = ">= ([\d.]+)"', text)
    assert found, "terraform/versions.tf says which version is required"
    return _numbers(found[1])


def check_tool(tool: Tool, minimum: tuple[int, ...]) -> Finding:
    """Whether a tool is there, works, and is new enough."""
    if shutil.which(tool.command[0]) is None:
        return optional(tool.name, f"is not there ({tool.needed_for})", tool.remedy)
    try:
        result = subprocess.run(  # noqa: S603 -- one of TOOLS
            tool.command, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return optional(tool.name, f"gives no answer within {TOOL_SECONDS:g} s ({tool.needed_for})", tool.remedy)
    except OSError as error:
        return optional(tool.name, f"can't be run: {error.strerror} ({tool.needed_for})", tool.remedy)
    version = re.search(r"\d+(\.\d+)+", result.stdout)
    if result.returncode or version is None:
        reason = (result.stderr.strip().splitlines() or ["no version"])[-1][:200]
        return optional(tool.name, f"does not work: {reason} ({tool.needed_for})", tool.remedy)
    if _numbers(version[0]) < minimum:
        least = ".".join(map(str, minimum))
        return optional(tool.name, f"{version[0]} is older than {least} ({tool.needed_for})", tool.remedy)
    return ok(tool.name, version[0])


def check_ports(compose: str, environ: Mapping[str, str]) -> list[Finding]:
    """Whether the ports of the local stack are free; the service's own is checked with the service."""
    findings = []
    for variable, default in re.findall(r'"127\.0\.0\.1:\$\{(\w+):-(\d+)\}:\d+"', compose):
        if variable == "API_PORT":
            continue
        name, value = variable.lower().replace("_", " "), environ.get(variable) or default
        port = int(value) if value.isdecimal() else 0
        if not 0 < port < 2**16:
            findings.append(fault(name, f"{variable}: {value!r} is no port", f"unset it, for {default}"))
        elif why_not_free("127.0.0.1", port) is None:
            findings.append(ok(name, f"127.0.0.1:{port} is free"))
        else:
            found = f"127.0.0.1:{port} is taken, perhaps by the local stack itself (make run-docker)"
            remedy = f"`ss -ltnp` names the program; or choose another: {variable}={port + 1} make run-docker"
            findings.append(optional(name, found, remedy))
    return findings


def check_credentials(environ: Mapping[str, str]) -> Finding:
    """Which credentials Google's clients would take; nobody is asked whether they are still good."""
    named = environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    folder = environ.get("CLOUDSDK_CONFIG") or Path(environ.get("HOME", "~")).expanduser() / ".config/gcloud"
    path = Path(named) if named else Path(folder) / "application_default_credentials.json"
    if named or path.exists():
        try:
            kind = json.loads(path.read_text(encoding="utf-8"))["type"]
        except OSError as error:
            return fault(
                "credentials", f"{path}: {error.strerror}", f"{LOGIN}, and unset GOOGLE_APPLICATION_CREDENTIALS"
            )
        except (ValueError, LookupError, TypeError):
            return fault("credentials", f"{path}: holds no credentials", LOGIN)
        return ok("credentials", f"{path} ({kind})")
    if GOOGLE_MACHINE.exists() and "Google" in GOOGLE_MACHINE.read_text(encoding="utf-8", errors="replace"):
        return ok("credentials", "those of this machine's service account")
    return optional("credentials", "none (buckets, DVC remote in the cloud, make bootstrap)", LOGIN)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
