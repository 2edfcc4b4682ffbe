"""Virtual environments of the peers, one each, kept in a cache folder and made once for each set of requirements."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.processes import environment, run_to_end

REQUIREMENTS = Path(__file__).resolve().parent
PYTHON_VERSION = "3.11"
"""MLServer takes no newer one than 3.12; all peers get the same."""

INSTALL_SECONDS = 1800
_DONE = "installed"


def cache_folder() -> Path:
    """Where environments are kept: XDG_CACHE_HOME, by default ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "mlops-core", "peers")


def environment_of(peer: str) -> Path:
    """The environment of a peer, installed if it is not there yet.

    Raises:
        BenchmarkError: uv is missing or can't install the peer.
    """
    requirements = REQUIREMENTS / f"{peer}.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = cache_folder() / f"{peer}-{digest}"
    if not (folder / _DONE).exists():
        _install(requirements, folder)
    return folder


def pinned_version(peer: str) -> str:
    """The version of a peer that its requirements name first."""
    first = (REQUIREMENTS / f"{peer}.txt").read_text(encoding="utf-8").splitlines()[0]
    return first.partition("==")[2]


def uv() -> str:
    """The command of uv: beside this Python, or on the PATH.

    Raises:
        BenchmarkError: there is none.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise BenchmarkError("uv is missing; `make install` puts it into .venv")
    return found


def _install(requirements: Path, folder: Path) -> None:
    print(f"installing {requirements.name} into {folder}", file=sys.stderr, flush=True)
    command, env = uv(), environment(**_indexes())
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    run_to_end([command, "venv", "--quiet", "--python", PYTHON_VERSION, str(folder)], env=env)
    target = ["--python", str(folder / "bin" / "python"), "--compile-bytecode"]
    run_to_end(
        [command, "pip", "install", "--quiet", *target, "-r", str(requirements)], env=env, seconds=INSTALL_SECONDS
    )
    (folder / _DONE).touch()


def _indexes() -> dict[str, str]:
    """What the developer's shell says of package indexes, proxies and certificates: installing needs it."""
    prefixes = ("UV_", "PIP_", "SSL_", "REQUESTS_")
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(prefixes) or name.lower() in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    }
