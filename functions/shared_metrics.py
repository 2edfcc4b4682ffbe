"""The metrics of several worker processes as one: prometheus_client's multiprocess mode.

The workers count in files of one folder, and whichever is asked adds them up. prometheus_client chooses
this mode when it is imported, if PROMETHEUS_MULTIPROC_DIR is set; functions.server sets it.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, PlatformCollector, ProcessCollector
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

_START_TIME, _MAX_FDS = "process_start_time_seconds", "process_max_fds"
_LEAST = (_START_TIME, _MAX_FDS)
"""Metrics of a process that have no sum: of several, the least is shown."""


def shared_registry(folder: Path, is_shown: Callable[[dict[str, str]], bool]) -> CollectorRegistry:
    """A registry of what all workers have counted in `folder`, as far as the series' labels are to be shown."""
    registry = CollectorRegistry()
    PlatformCollector(registry=registry)
    registry.register(_WorkersCollector(folder, is_shown))
    return registry


class _WorkersCollector(Collector):
    def __init__(self, folder: Path, is_shown: Callable[[dict[str, str]], bool]) -> None:
        self._folder = folder
        self._is_shown = is_shown
        self._files = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        """What the workers counted, those that have ended too; gauges and processes of those that live."""
        workers = self._forget_dead()
        for family in self._files.collect():  # type: ignore[no-untyped-call]
            family.samples = [sample for sample in family.samples if self._is_shown(sample.labels)]
            yield family
        yield from summed(ProcessCollector(pid=partial(int, pid), registry=None).collect() for pid in workers)

    def _forget_dead(self) -> list[int]:
        """Delete the gauges of workers that have ended; returns the process ids of those that live."""
        found = {int(path.stem.rpartition("_")[2]) for path in self._folder.glob("gauge_live*_*.db")}
        for pid in found:
            if not _lives(pid):
                # another worker may be at it too
                with suppress(FileNotFoundError):
                    mark_process_dead(pid, str(self._folder))  # type: ignore[no-untyped-call]
        return sorted(filter(_lives, found))


def summed(processes: Iterable[Iterable[Metric]]) -> list[Metric]:
    """The metrics of several processes as those of one."""
    total: dict[str, Metric] = {}
    for process in processes:
        for family in process:
            known = total.setdefault(family.name, family)
            if known is not family:
                join = min if family.name in _LEAST else sum
                known.samples = [
                    mine._replace(value=join([mine.value, other.value]))
                    for mine, other in zip(known.samples, family.samples, strict=True)
                ]
    return list(total.values())


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
