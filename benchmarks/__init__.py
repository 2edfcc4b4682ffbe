"""Measures the service and the pipeline against references in the same run; `python -m benchmarks` runs all of it."""
