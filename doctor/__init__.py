"""`make doctor`: what this machine, the training side and the service need, what is missing, and the remedy.

Runs on a fresh clone with the standard library alone. What the service needs is checked by `functions.doctor`, which
is in its image too. It is no part of `pipeline`, because it looks at both sides, and `pipeline` imports of `functions`
the bundle only.
"""
