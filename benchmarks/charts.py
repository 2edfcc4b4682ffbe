"""Charts of a run, as SVG, made by matplotlib."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import layers
from benchmarks.figures import Figure
from benchmarks.samples import median

OURS, OTHERS = "#2b6cb0", "#a0aec0"
WIDTH_INCHES = 7.5


def draw_layers(figures: Sequence[Figure], path: Path) -> None:
    """Microseconds of each layer of a request, and of the bare handler, as bars."""
    whole = next(figure for figure in figures if figure.group == layers.GROUP and figure.name == layers.TOTAL)
    parts = [figure for figure in figures if figure.group == layers.GROUP and figure.reference is None]
    bars = [(figure.name, figure.value, OURS) for figure in sorted(parts, key=lambda figure: -figure.value)]
    if whole.reference:
        bars.append((layers.BARE, median(whole.reference.rounds), OTHERS))
    _draw_bars(bars, f"One /predict request in process: {whole.value:.0f} us by layer", "microseconds", path)


def draw_rates(rates: Sequence[tuple[str, float]], ours: str, title: str, path: Path) -> None:
    """Requests a second of several servers as bars; the one called `ours` stands out."""
    bars = [(name, rate, OURS if name == ours else OTHERS) for name, rate in sorted(rates, key=lambda pair: -pair[1])]
    _draw_bars(bars, title, "requests/s", path)


def _draw_bars(bars: Sequence[tuple[str, float, str]], title: str, unit: str, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    with mpl.rc_context({"svg.hashsalt": "benchmarks", "svg.fonttype": "none"}):
        figure, raw_axes = pyplot.subplots(figsize=(WIDTH_INCHES, 0.9 + 0.3 * len(bars)), layout="constrained")
        axes: Any = raw_axes
        drawn = axes.barh([name for name, _, _ in bars], [value for _, value, _ in bars], color=[c for _, _, c in bars])
        axes.bar_label(drawn, [f" {value:,.0f}" if value >= 10 else f" {value:.1f}" for _, value, _ in bars])
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_xlabel(unit)
        axes.set_title(title, loc="left", fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})
        pyplot.close(figure)
