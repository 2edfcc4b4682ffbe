"""What must hold. Ratios are against the reference of the same run, so that they mean the same on every machine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """A bound of a figure's ratio, or of its value when it has no reference."""

    limit: float
    at_least: bool

    def holds(self, number: float) -> bool:
        """Whether `number` keeps to the bound; a number that is none does not."""
        return number >= self.limit if self.at_least else number <= self.limit

    def __str__(self) -> str:
        """The bound as tables show it."""
        return f"{'>=' if self.at_least else '<='} {self.limit:g}"


def at_least(limit: float) -> Budget:
    """A figure that must not be lower."""
    return Budget(limit, at_least=True)


def at_most(limit: float) -> Budget:
    """A figure that must not be higher."""
    return Budget(limit, at_least=False)


REQUEST_RATE = at_least(0.45)
"""One-row predictions a second, against a bare Flask handler on the same server."""

STEADY_P99_MS = at_most(2.2)
"""Milliseconds at a steady 1,000 requests/s."""

START = at_most(2.0)
"""Process start to the first answered prediction, against the bare handler's."""

MEMORY_MB = at_most(150)
"""Megabytes (10^6 bytes) after 10,000 predictions."""

BINARY_ROWS = at_least(0.8)
"""Rows a second of 10,000-row binary tensors, against onnxruntime in process."""

JSON_ROWS = at_least(0.5)
"""Rows a second of 10,000-row JSON instances, against onnxruntime in process."""

SINGLE_BESIDE_BATCHES = at_most(0.5)
"""p99 of single rows while 10,000-row batches run, against the time that one such batch takes alone."""

CLEAN_REPRO = at_most(1.6)
"""A clean `dvc repro`, against one script that loads, fits and logs."""

NOOP_REPRO = at_most(1.3)
"""`dvc repro` with nothing changed, against a trivial pipeline of as many stages."""

PEERS = at_least(20)
"""One-row predictions a second, against the best scikit-learn server."""
