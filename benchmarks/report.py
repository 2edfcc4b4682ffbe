"""What a run leaves: a table on the terminal, a JSON file, and on request the page docs/performance.md."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure, missed
from benchmarks.machine import ROOT
from benchmarks.table import aligned, markdown

RESULTS = ROOT / "artifacts" / "benchmarks"
PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
EXIT_PASSED, EXIT_MISSED, EXIT_UNABLE = 0, 1, 2


def verdict(figures: Sequence[Figure]) -> int:
    """Print the table and what misses its budget; the exit code that says the same."""
    print(aligned(figures))
    misses = missed(figures)
    held = sum(figure.budget is not None for figure in figures)
    print(f"\n{held - len(misses)} of {held} budgets hold")
    for figure in misses:
        print(f"MISSED: {figure.name}: {figure.judged:.3g}, budget {figure.budget}")
    return EXIT_MISSED if misses else EXIT_PASSED


def write_json(path: Path, machine: Mapping[str, str], figures: Sequence[Figure]) -> None:
    """Write machine and figures, every round of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": dict(machine), "figures": [figure.as_json() for figure in figures]}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def section(machine: Mapping[str, str], figures: Sequence[Figure], chart: str) -> str:
    """Machine, chart and tables as Markdown, one table for each group; `chart` is a file in IMAGES."""
    facts = "; ".join(f"{name} {value}" for name, value in machine.items())
    groups = dict.fromkeys(figure.group for figure in figures)
    tables = [f"### {group}\n\n{markdown([f for f in figures if f.group == group])}" for group in groups]
    image = f"![chart of the figures below]({IMAGES.name}/{chart})"
    return "\n\n".join([f"{facts}.", image, *tables])


def replace_section(text: str, name: str, content: str) -> str:
    """`text` with `content` between the markers of `name`.

    Raises:
        BenchmarkError: the markers are not there.
    """
    start, end = f"<!-- {name}: written by the benchmark -->", f"<!-- {name}: end -->"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise BenchmarkError(f"the page lacks the markers {start} and {end}")
    return f"{before}{start}\n\n{content}\n\n{end}{after}"


def write_page(name: str, machine: Mapping[str, str], figures: Sequence[Figure], chart: str) -> None:
    """Put the run between the markers of `name` in docs/performance.md.

    Raises:
        BenchmarkError: the page has no such markers.
    """
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(replace_section(text, name, section(machine, figures, chart)), encoding="utf-8")
