"""Why a benchmark can't be run."""


class BenchmarkError(Exception):
    """Something that a measurement needs is missing or failed; the message says what to do."""
