"""Order statistics of samples."""

import math
from collections.abc import Sequence
from statistics import median as _median


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle."""
    return float(_median(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest sample that at least `percent` of all samples do not exceed (nearest rank).

    Raises:
        ValueError: there are no samples.
    """
    if not values:
        raise ValueError("a percentile needs at least one sample")
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]
