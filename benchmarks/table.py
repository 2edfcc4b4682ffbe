"""Figures as a table: aligned for a terminal, or as Markdown."""

from collections.abc import Iterable, Sequence

from benchmarks.figures import Figure
from benchmarks.samples import median

COLUMNS = ("figure", "median", "lowest to highest", "reference", "its median", "ratio", "budget", "verdict")
_LEFT = {"figure", "reference", "verdict"}


def cells(figure: Figure) -> list[str]:
    """The row of a figure."""
    reference = figure.reference
    reference_median = "" if reference is None else quantity(median(reference.rounds), figure.unit)
    spread = f"{number(min(figure.rounds))} - {number(max(figure.rounds))}" if len(figure.rounds) > 1 else ""
    return [
        figure.name,
        quantity(figure.value, figure.unit),
        spread,
        "" if reference is None else reference.name,
        reference_median,
        "" if figure.ratio is None else f"{figure.ratio:.2f} x",
        "" if figure.budget is None else budget_text(figure),
        figure.verdict,
    ]


def budget_text(figure: Figure) -> str:
    """The budget with its unit: of the ratio, or of the value."""
    return f"{figure.budget} {'x' if figure.reference else figure.unit}"


def aligned(figures: Sequence[Figure]) -> str:
    """A table for a terminal, with one block for each group."""
    rows = [cells(figure) for figure in figures]
    widths = [max(len(row[index]) for row in [list(COLUMNS), *rows]) for index in range(len(COLUMNS))]
    lines = [_line(COLUMNS, widths), "  ".join("-" * width for width in widths)]
    group = ""
    for figure, row in zip(figures, rows, strict=True):
        if figure.group != group:
            group = figure.group
            lines.append(f"[{group}]")
        lines.append(_line(row, widths))
    return "\n".join(lines)


def markdown(figures: Iterable[Figure]) -> str:
    """A Markdown table."""
    rules = [":--" if name in _LEFT else "--:" for name in COLUMNS]
    rows = [COLUMNS, rules, *(cells(figure) for figure in figures)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def quantity(value: float, unit: str) -> str:
    """A number with its unit."""
    return f"{number(value)} {unit}"


def number(value: float) -> str:
    """A number with about three digits that say something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if name in _LEFT else cell.rjust(width)
        for cell, width, name in zip(row, widths, COLUMNS, strict=True)
    ]
    return "  ".join(padded).rstrip()
