"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """Rounds and durations. All rounds alternate between a figure and its reference."""

    rounds: int = 5
    warm_up_seconds: int = 2
    load_seconds: int = 4
    """One closed-loop measurement."""
    steady_seconds: int = 10
    """One round at the constant rate."""
    batch_seconds: int = 2
    """One closed-loop measurement of batches."""
    predictions: int = 10_000
    """At least so many before memory is read."""
    starts: int = 5
    clean_repros: int = 3
    noop_repros: int = 9
    layer_requests: int = 3000
    """Requests in one round of the layers' clock."""
    scikit_learn: bool = True
    """Whether scikit-learn is measured in process; it has to train first."""


FULL = Effort()
QUICK = Effort(
    rounds=2,
    warm_up_seconds=1,
    load_seconds=1,
    steady_seconds=3,
    batch_seconds=1,
    starts=2,
    clean_repros=1,
    noop_repros=2,
    layer_requests=1000,
    scikit_learn=False,
)
