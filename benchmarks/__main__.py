"""`python -m benchmarks`: measure, print one table, write JSON, and fail when a budget is missed."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import batch, layers, machine, pipeline, report, service, start
from benchmarks.charts import draw_layers
from benchmarks.effort import FULL, QUICK, Effort
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure
from benchmarks.machine import ROOT, Cores
from benchmarks.requests import read_metadata

SECTION = "benchmark"
CHART = "layers.svg"
LATEST = "latest.json"

Group = Callable[[Path, Cores, Effort], list[Figure]]

GROUPS: dict[str, Group] = {
    service.GROUP: service.measure,
    batch.GROUP: batch.measure,
    start.GROUP: start.measure,
    layers.GROUP: layers.measure,
    pipeline.GROUP: lambda _bundle, _cores, effort: pipeline.measure(effort),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments name; 0 if all budgets hold, 1 if one is missed, 2 if it can't be measured."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.write_docs and (given.quick or given.only != list(GROUPS)):
        parser.error("--write-docs shows a full run of all groups; leave out --quick and --only")
    effort = QUICK if given.quick else FULL
    try:
        found = run(given.only, given.model_dir, effort)
        facts = machine.describe() | {"effort": "quick" if given.quick else "full"}
        report.write_json(given.output, facts, found)
        if given.write_docs:
            report.write_page(SECTION, facts, found, CHART)
            draw_layers(found, report.IMAGES / CHART)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return report.EXIT_UNABLE
    code = report.verdict(found)
    print(f"every round is in {given.output}")
    return code


def run(groups: Sequence[str], bundle: Path, effort: Effort) -> list[Figure]:
    """The figures of the groups.

    Raises:
        BenchmarkError: something that they need is missing or failed.
    """
    machine.require("taskset", "wrk")
    shared = machine.cores()
    if set(groups) - {pipeline.GROUP}:
        read_metadata(bundle)
    found: list[Figure] = []
    for name in groups:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        found += GROUPS[name](bundle, shared, effort)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", type=_groups, default=list(GROUPS), help=f"some of {','.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds; shows that it works")
    parser.add_argument("--model-dir", type=Path, default=ROOT / "models", help="bundle to serve (models/)")
    parser.add_argument(
        "--output", type=Path, default=report.RESULTS / LATEST, help="where the JSON goes (artifacts/benchmarks/)"
    )
    parser.add_argument("--write-docs", action="store_true", help="put table and chart into docs/performance.md")
    return parser


def _groups(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(names) - set(GROUPS))
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'nothing'} is none of {', '.join(GROUPS)}")
    return [name for name in GROUPS if name in names]


if __name__ == "__main__":
    sys.exit(main())
