"""`make doctor`: what this machine, the training side and the service need, what is missing, and the remedy.

Runs on a fresh clone with the standard library alone. What the service needs is checked by `functions.doctor`, which
is in its image too; only here does the pipeline's side look at more of the service's than the bundle.
"""
