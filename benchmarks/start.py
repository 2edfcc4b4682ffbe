"""Group `start`: from starting the process to the first answered prediction, against the bare handler."""

from pathlib import Path

from benchmarks import budgets
from benchmarks.effort import Effort
from benchmarks.figures import Figure, Reference
from benchmarks.machine import Cores
from benchmarks.processes import kept_to_core
from benchmarks.requests import one_row, read_metadata
from benchmarks.servers import bare_launch, service_launch, time_to_first_answer

GROUP = "start"


def measure(bundle: Path, cores: Cores, effort: Effort) -> list[Figure]:
    """The figure of the group; one start of each comes before, so that files and byte-code are at hand."""
    post = one_row(read_metadata(bundle))
    service, bare = [], []
    with kept_to_core(cores.load):
        for _ in range(effort.starts + 1):
            bare.append(time_to_first_answer(bare_launch(cores.server), post))
            service.append(time_to_first_answer(service_launch(bundle, cores.server), post))
    name = "process start to first prediction answered"
    reference = Reference("bare Flask handler", bare[1:])
    return [Figure(GROUP, name, "s", service[1:], reference, budgets.START)]
