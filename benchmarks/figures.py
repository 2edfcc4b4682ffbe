"""A measured figure: its rounds, its reference in the same run, its budget and the verdict."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.budgets import Budget
from benchmarks.samples import median

PASS, MISS, NO_BUDGET = "pass", "MISS", "-"


@dataclass(frozen=True)
class Reference:
    """What a figure is compared with: the same measurement of something plain, round by round."""

    name: str
    rounds: Sequence[float]


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    `rounds` holds one value for each round, in `unit`. With a reference, round i is compared with
    the reference's round i, because both were taken one right after the other.
    """

    group: str
    name: str
    unit: str
    rounds: Sequence[float]
    reference: Reference | None = None
    budget: Budget | None = None

    @property
    def value(self) -> float:
        """Median of the rounds."""
        return median(self.rounds)

    @property
    def ratio(self) -> float | None:
        """Median of the rounds' ratios to the reference; None without one."""
        if self.reference is None:
            return None
        pairs = zip(self.rounds, self.reference.rounds, strict=True)
        return median([own / other for own, other in pairs])

    @property
    def judged(self) -> float:
        """The number that the budget bounds."""
        return self.value if self.ratio is None else self.ratio

    @property
    def verdict(self) -> str:
        """`pass` or `MISS`, or `-` when the figure is only reported."""
        if self.budget is None:
            return NO_BUDGET
        return PASS if self.budget.holds(self.judged) else MISS

    def as_json(self) -> dict[str, Any]:
        """The figure as the results file has it."""
        reference = self.reference
        return {
            "group": self.group,
            "name": self.name,
            "unit": self.unit,
            "value": self.value,
            "rounds": list(self.rounds),
            "reference": reference and reference.name,
            "reference_value": reference and median(reference.rounds),
            "reference_rounds": reference and list(reference.rounds),
            "ratio": self.ratio,
            "budget": self.budget and str(self.budget),
            "verdict": self.verdict,
        }


def missed(figures: Iterable[Figure]) -> list[Figure]:
    """The figures that miss their budget."""
    return [figure for figure in figures if figure.verdict == MISS]
