"""The programs of ours, and the options that they declare, read from their source."""

import ast
from functools import cache
from pathlib import Path

from tests.docs.pages import ROOT

PACKAGES = ("functions", "pipeline", "benchmarks", "monitoring")
STARTED_BY_PROGRAMS = {"bare", "ci", "constant_rate", "in_process", "layers", "one_script", "servers"}
"""Modules, or folders of such, that a benchmark or a build starts, and nobody else."""


@cache
def programs_of_ours() -> frozenset[str]:
    """Modules that people start as `python -m`."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            module = path.relative_to(ROOT).with_suffix("")
            if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8") and not STARTED_BY_PROGRAMS & set(
                module.parts
            ):
                found.add(".".join(module.parts).removesuffix(".__main__"))
    return frozenset(found)


@cache
def options_of(program: str) -> frozenset[str]:
    """The first name of each argument that the module declares with argparse."""
    place = ROOT / Path(*program.split("."))
    path = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
    return frozenset(
        call.args[0].value
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "add_argument"
        and isinstance(call.args[0], ast.Constant)
    )
