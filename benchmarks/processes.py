"""Programs that are measured: started on a core, watched, and ended by their process ids."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.machine import ROOT, search_path

STOP_SECONDS = 15
_PASSED_ON = ("HOME", "LANG", "TMPDIR")
_SILENT = {
    "DVC_NO_ANALYTICS": "1",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "BENTOML_DO_NOT_TRACK": "True",
}


@dataclass(frozen=True)
class Memory:
    """Memory of a service, all of its processes together, in megabytes (10^6 bytes).

    A page that several processes share counts once in `proportional` (PSS), and in each of them in `resident` (RSS).
    """

    proportional: float
    resident: float
    processes: int


def environment(**settings: str) -> dict[str, str]:
    """A clean environment with `settings`: nothing of the developer's shell, and no program phones home."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    kept["PATH"] = search_path()
    return kept | _SILENT | settings


def on_core(core: int, *command: str) -> list[str]:
    """`command`, kept to one core; taskset becomes the command, so that the process id is the command's."""
    return ["taskset", "-c", str(core), *command]


def python(*arguments: str) -> list[str]:
    """A command of this Python."""
    return [sys.executable, *arguments]


@contextmanager
def running(
    command: Sequence[str], env: Mapping[str, str], log: Path, folder: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program with its output in the file `log`; end it, and what it started, at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=dict(env), stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started: asked first, then made to."""
    family = descendants(process.pid)
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid, started in family.items():
        if _started(pid) == started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> dict[int, str]:
    """The processes that `pid` started, and theirs, with the times at which they started."""
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                for child in (task / "children").read_text().split():
                    started = _started(int(child))
                    if started is not None:
                        found[int(child)] = started
                        waiting.append(int(child))
    return found


def memory(pid: int) -> Memory:
    """What `pid` and its descendants have in memory."""
    proportional, resident = 0, 0
    family = [pid, *descendants(pid)]
    for member in family:
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()[1:])
        proportional += _bytes(fields["Pss"])
        resident += _bytes(fields["Rss"])
    return Memory(proportional / 1e6, resident / 1e6, len(family))


def free_port() -> int:
    """A port of the loopback address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_to_end(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, folder: Path = ROOT, seconds: float = 600
) -> str:
    """Run a program and return its standard output.

    Raises:
        BenchmarkError: it failed or took longer than `seconds`; has the end of what it said.
    """
    shown = " ".join(command)
    try:
        done = subprocess.run(
            command, cwd=folder, env=dict(env or environment()), capture_output=True, text=True, timeout=seconds,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"`{shown}` took longer than {seconds:g} s") from None
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise BenchmarkError(f"`{shown}` failed with {done.returncode}:\n{said}")
    return done.stdout


def time_to_end(command: Sequence[str], *, env: Mapping[str, str], folder: Path, seconds: float = 600) -> float:
    """How long a program takes, in seconds.

    Raises:
        BenchmarkError: it failed or took longer than `seconds`.
    """
    started = time.perf_counter()
    run_to_end(command, env=env, folder=folder, seconds=seconds)
    return time.perf_counter() - started


@contextmanager
def kept_to_core(core: int) -> Iterator[None]:
    """Keep this process to one core meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _bytes(field: str) -> int:
    number, unit = field.split()
    if unit != "kB":
        raise BenchmarkError(f"/proc counts memory in {unit}, not in kB")
    return int(number) * 1024


def _started(pid: int) -> str | None:
    """When a process started, so that another one with its id is not taken for it; None if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None
