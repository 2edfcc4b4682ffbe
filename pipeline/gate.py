"""The decision whether a candidate may be released. Pure: numbers in, a decision with its reasons out."""

from typing import Literal

import msgspec
import numpy as np

from functions.bundle.metadata import Metadata, Metrics
from pipeline.metrics import Floats, Ints, bca_quantile, resample_counts, score
from pipeline.params import EvaluateParams

# Scores are fractions of counts; their differences carry rounding of this order.
_ROUNDING = 1e-12


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One condition: passed when `bound` is not below `threshold`.

    For a floor, `value` and `bound` are the candidate's score. For non-inferiority, `value` is the
    candidate's score minus the champion's, `bound` the lower confidence bound of that difference,
    and `threshold` is minus `margin`. `missed_by` is how far the bound is below the threshold.
    """

    metric: str
    kind: Literal["floor", "non-inferiority"]
    value: float
    bound: float
    threshold: float
    margin: float | None
    passed: bool
    missed_by: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The champion, or why there is none to compare with."""

    comparable: bool
    reason: str | None = None
    version: str | None = None
    notes: list[str] = []


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What gate.json holds; `model_sha256` says which candidate was judged."""

    passed: bool
    model_sha256: str
    n_samples: int
    confidence: float
    champion: Comparison
    checks: list[Check]


def floor_checks(metrics: Metrics, evaluate: EvaluateParams) -> list[Check]:
    """Whether the candidate's scores reach the absolute floors."""
    floors = (
        ("accuracy", metrics.accuracy, evaluate.floors.accuracy),
        ("f1_score", metrics.f1_score, evaluate.floors.f1_score),
    )
    return [_check(name, "floor", value, value, floor, None) for name, value, floor in floors]


def non_inferiority_checks(
    truth: Ints, candidate: Ints, champion: Ints, classes: int, evaluate: EvaluateParams, seed: int
) -> list[Check]:
    """Whether the candidate is at most a margin worse than the champion, on the same rows.

    One-sided test by confidence interval: with D the candidate's score minus the champion's, it is
    non-inferior when the lower bound of D at `confidence` is not below minus the margin (Piaggio et
    al. 2012, CONSORT extension for non-inferiority trials, JAMA 308:2594). The bound is the BCa
    bootstrap's over rows, paired: each resample holds the same rows for both (Koehn 2004, Statistical
    significance tests for machine translation evaluation). A percentile bound would pass a candidate
    that is worse by the margin about twice as often as `confidence` says: rows on which two good
    models disagree are few, and their number is skewed. Without any such row the bound is 0.
    """
    # A row counts by its true class and both predictions: each triple that occurs is a cell.
    triples, cells = np.unique(np.stack([truth, candidate, champion]), axis=1, return_counts=True)
    without_one = cells - np.eye(len(cells), dtype=np.int64)
    counts = np.vstack([cells, without_one, resample_counts(cells, evaluate.resamples, seed)])
    ours, theirs = (score(_confusions(counts, triples[0], predicted, classes)) for predicted in triples[1:])
    margins = (("accuracy", evaluate.margins.accuracy), ("f1_score", evaluate.margins.f1_score))
    checks = []
    for name, margin in margins:
        difference: Floats = ours.get(name) - theirs.get(name)
        value, left_out, resampled = np.split(difference, [1, 1 + len(cells)])
        bound = bca_quantile(resampled, float(value[0]), left_out, cells, 1 - evaluate.confidence)
        checks.append(_check(name, "non-inferiority", float(value[0]), bound, -margin, margin))
    return checks


def incomparable(candidate: Metadata, champion: Metadata) -> str | None:
    """Why the two can't be judged on the same rows, None if they can."""
    ours, theirs = candidate.feature_names, champion.feature_names
    if champion.task != candidate.task:
        return f"another task: {champion.task} instead of {candidate.task}"
    if set(ours) != set(theirs):
        missing, added = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
        parts = [f"only the champion has {_names(missing)}"] * bool(missing)
        parts += [f"only the candidate has {_names(added)}"] * bool(added)
        return f"other features: {'; '.join(parts)}"
    if ours != theirs:
        return f"another order of features: the champion has {_names(theirs)}, the candidate {_names(ours)}"
    if champion.target_names != candidate.target_names:
        return f"other classes: the champion has {champion.target_names}, the candidate {candidate.target_names}"
    return None


def split_notes(candidate: Metadata, champion: Metadata) -> list[str]:
    """What makes the comparison less than fair: another split may have shown the champion some test rows."""
    ours, theirs = candidate.params.get("data", {}), champion.params.get("data", {})
    changed = [
        f"data.{key} was {theirs.get(key)!r} for the champion and is {ours.get(key)!r}"
        for key in ("test_size", "random_state")
        if theirs.get(key) != ours.get(key)
    ]
    if not changed:
        return []
    return [f"{' and '.join(changed)}: the champion may have been trained on some of the test rows, which favours it"]


def failures(gate: Gate) -> list[str]:
    """One sentence for each check that did not pass."""
    return [_sentence(check, gate.confidence) for check in gate.checks if not check.passed]


def _sentence(check: Check, confidence: float) -> str:
    if check.kind == "floor":
        return f"{check.metric} {check.value:.4f} is below its floor {check.threshold:.4f}, by {check.missed_by:.4f}"
    return (
        f"{check.metric} differs from the champion's by {check.value:+.4f}, with a lower {confidence:.0%} bound of "
        f"{check.bound:+.4f} below the margin {check.threshold:+.4f}, by {check.missed_by:.4f}"
    )


def _check(
    metric: str,
    kind: Literal["floor", "non-inferiority"],
    value: float,
    bound: float,
    threshold: float,
    margin: float | None,
) -> Check:
    passed = bound >= threshold - _ROUNDING
    return Check(
        metric=metric,
        kind=kind,
        value=value,
        bound=bound,
        threshold=threshold,
        margin=margin,
        passed=passed,
        missed_by=0.0 if passed else threshold - bound,
    )


def _confusions(counts: Ints, truth: Ints, predicted: Ints, classes: int) -> Ints:
    """Confusion matrices [samples, K, K] from counts [samples, cells] of cells with these classes."""
    place = np.zeros((len(truth), classes * classes), dtype=np.int64)
    place[np.arange(len(truth)), truth * classes + predicted] = 1
    return (counts @ place).reshape(-1, classes, classes)


def _names(names: list[str]) -> str:
    return ", ".join(map(repr, names))
