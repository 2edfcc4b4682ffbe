"""Group `pipeline`: `dvc repro`, clean and with nothing changed, in copies of the project."""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks import budgets
from benchmarks.effort import Effort
from benchmarks.figures import Figure, Reference
from benchmarks.machine import ROOT, require
from benchmarks.processes import environment, python, run_to_end, time_to_end

GROUP = "pipeline"
_REPRO = ("dvc", "repro")


def measure(effort: Effort) -> list[Figure]:
    """All figures of the group. Nothing is kept to a core, as on a person's machine."""
    require("git", "dvc")
    env = environment(PYTHONPATH=str(ROOT))
    repro, script = [], []
    with TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        for number in range(effort.clean_repros):
            clone = copy_project(folder / f"clone-{number}")
            script.append(_time_script(clone, env))
            repro.append(time_to_end(_REPRO, env=environment(), folder=clone))
        stages = stages_of(clone)
        trivial = make_trivial(folder / "trivial", clone, stages)
        run_to_end(_REPRO, env=environment(), folder=trivial)
        ours, theirs = [], []
        for _ in range(effort.noop_repros):
            ours.append(time_to_end(_REPRO, env=environment(), folder=clone))
            theirs.append(time_to_end(_REPRO, env=environment(), folder=trivial))
    one_script = Reference("one script: load, fit, log", script)
    as_many = Reference(f"trivial pipeline of {stages} stages", theirs)
    return [
        Figure(GROUP, f"clean dvc repro, {stages} stages", "s", repro, one_script, budgets.CLEAN_REPRO),
        Figure(GROUP, "dvc repro with nothing changed", "s", ours, as_many, budgets.NOOP_REPRO),
    ]


def copy_project(folder: Path) -> Path:
    """The project's files as a fresh clone would have them, changes that are not committed included."""
    listed = run_to_end(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    for name in listed.split("\0"):
        # a deleted file is listed until its deletion is committed
        if name and (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    _commit(folder)
    return folder


def stages_of(project: Path) -> int:
    """How many stages the pipeline has."""
    pipeline: dict[str, Any] = yaml.safe_load((project / "dvc.yaml").read_text(encoding="utf-8"))
    return len(pipeline["stages"])


def trivial_pipeline(stages: int) -> dict[str, Any]:
    """A chain of stages that each copy a file."""
    return {
        "stages": {
            f"copy{number}": {
                "cmd": f"cp {number}.txt {number + 1}.txt",
                "deps": [f"{number}.txt"],
                "outs": [f"{number + 1}.txt"],
            }
            for number in range(stages)
        }
    }


def make_trivial(folder: Path, project: Path, stages: int) -> Path:
    """A project with a trivial pipeline and the DVC configuration of `project`."""
    (folder / ".dvc").mkdir(parents=True)
    shutil.copy(project / ".dvc" / "config", folder / ".dvc" / "config")
    (folder / "dvc.yaml").write_text(yaml.safe_dump(trivial_pipeline(stages)), encoding="utf-8")
    (folder / "0.txt").write_text("something\n", encoding="utf-8")
    _commit(folder)
    return folder


def _time_script(clone: Path, env: dict[str, str]) -> float:
    """The one script in a copy of its own of what it reads."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        for name in ("params.yaml", "data"):
            source = clone / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, Path(folder, name))
        return time_to_end(python("-m", "benchmarks.one_script"), env=env, folder=Path(folder))


def _commit(folder: Path) -> None:
    """Make `folder` a Git repository with one commit."""
    author = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"]
    for words in (["init", "--quiet"], ["add", "--all"], [*author, "commit", "--quiet", "--message", "all"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
