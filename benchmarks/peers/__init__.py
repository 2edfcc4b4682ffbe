"""Measures the usual servers of scikit-learn models beside the service; `python -m benchmarks.peers` runs all."""
