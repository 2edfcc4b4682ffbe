"""What the figures were taken on, and which cores take part."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.errors import BenchmarkError

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("flask", "granian", "msgspec", "onnxruntime", "numpy", "scikit-learn", "mlflow", "dvc")
INSTALL = {
    "taskset": "apt-get install util-linux",
    "wrk": "apt-get install wrk",
    "git": "apt-get install git",
}


@dataclass(frozen=True)
class Cores:
    """The load's core and the server's: never the same, so that one does not take the other's time."""

    load: int
    server: int


def pick_cores(available: Sequence[int]) -> Cores:
    """The first core for the load, the last for the server.

    Raises:
        BenchmarkError: there is only one.
    """
    if len(available) < 2:
        raise BenchmarkError("the load needs another core than the server's: run this on a machine with two cores")
    return Cores(load=min(available), server=max(available))


def cores() -> Cores:
    """The cores that this process may use, shared out.

    Raises:
        BenchmarkError: there is only one.
    """
    return pick_cores(sorted(os.sched_getaffinity(0)))


def require(*tools: str) -> None:
    """Check that programs are installed.

    Raises:
        BenchmarkError: lists those that are not, with the command that installs each.
    """
    missing = [tool for tool in tools if shutil.which(tool, path=search_path()) is None]
    if missing:
        lines = [f"  {tool}: {INSTALL.get(tool, 'make install')}" for tool in missing]
        raise BenchmarkError("\n".join(["programs are missing; install them and run this again:", *lines]))


def search_path() -> str:
    """Where programs are looked for: first beside this Python, where dvc is."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def describe() -> dict[str, str]:
    """Machine, versions, commit and time, for the results and the docs."""
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{_system()}, Linux {platform.release()}",
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "python": platform.python_version(),
    }
    return facts | {name: _version(name) for name in PACKAGES}


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return found.stdout.strip() or "unknown"


def _processor() -> str:
    return _field(Path("/proc/cpuinfo"), "model name", ":") or platform.machine()


def _system() -> str:
    return _field(Path("/etc/os-release"), "PRETTY_NAME", "=").strip('"') or platform.system()


def _field(path: Path, name: str, separator: str) -> str:
    """The first value of `name` in a file of names and values, empty if it is not there."""
    if not path.exists():
        return ""
    pairs = (line.partition(separator) for line in path.read_text(encoding="utf-8").splitlines())
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
