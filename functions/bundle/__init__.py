"""The model bundle: what the pipeline writes and the service reads.

`metadata` says what stands in it, `files` reads and writes it, `runtime` runs its model.
"""
