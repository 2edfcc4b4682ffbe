"""`python -m benchmarks.peers`: one-row predictions of other servers beside ours; 1 if we are not as far ahead."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import budgets, closed_loop, machine, report
from benchmarks.charts import draw_rates
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure, Reference
from benchmarks.machine import ROOT, Cores
from benchmarks.peers.catalogue import PEERS, Peer, Start
from benchmarks.peers.environments import environment_of, pinned_version
from benchmarks.peers.models import Saved, save_forest
from benchmarks.requests import Post, one_row, read_metadata
from benchmarks.samples import median
from benchmarks.servers import Launch, service_launch, serving

GROUP = "peers"
SECTION = "peers"
CHART = "peers.svg"
RESULT = "peers.json"
CONNECTIONS = 16
OURS = "this service"
START_SECONDS = 120


@dataclass(frozen=True)
class Effort:
    """How much is measured of each server."""

    rounds: int = 3
    warm_up_seconds: int = 2
    load_seconds: int = 5


FULL, QUICK = Effort(), Effort(rounds=1, warm_up_seconds=1, load_seconds=2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the peers; 0 if the budget holds, 1 if it is missed, 2 if they can't be measured."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.write_docs and (given.quick or given.only):
        parser.error("--write-docs shows a full run of all peers; leave out --quick and --only")
    wanted = [peer for peer in PEERS if not given.only or peer.requirements in given.only]
    try:
        found = measure(given.model_dir, wanted, QUICK if given.quick else FULL)
        facts = machine.describe() | {name: pinned_version(name) for name in sorted({p.requirements for p in wanted})}
        report.write_json(report.RESULTS / RESULT, facts, found)
        if given.write_docs:
            report.write_page(SECTION, facts, found, CHART)
            draw_rates(
                [(figure.name.partition(":")[0], figure.value) for figure in found[:-1]],
                OURS,
                f"One-row predictions a second, {CONNECTIONS} connections, one core",
                report.IMAGES / CHART,
            )
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return report.EXIT_UNABLE
    code = report.verdict(found)
    print(f"every round is in {report.RESULTS / RESULT}")
    return code


def measure(bundle: Path, peers: Sequence[Peer], effort: Effort) -> list[Figure]:
    """Requests a second of each peer and of the service, and the service against the best peer.

    Raises:
        BenchmarkError: something is missing, or a peer can't be installed or does not answer.
    """
    machine.require("taskset", "wrk")
    cores = machine.cores()
    post = one_row(read_metadata(bundle))
    pythons = {peer.requirements: environment_of(peer.requirements) / "bin" / "python" for peer in peers}
    rates: dict[str, list[float]] = {peer.name: [] for peer in peers}
    ours: list[float] = []
    with TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        saved = save_forest(folder)
        for number in range(effort.rounds):
            print(f"round {number + 1} of {effort.rounds}", file=sys.stderr, flush=True)
            ours.append(_rate(service_launch(bundle, cores.server), post, ROOT, cores, effort))
            for peer in peers:
                rates[peer.name].append(_peer_rate(peer, pythons[peer.requirements], saved, folder, cores, effort))
    return figures(ours, rates, peers)


def figures(ours: list[float], rates: dict[str, list[float]], peers: Sequence[Peer]) -> list[Figure]:
    """The peers, the service, and the service against the best peer with normal settings."""
    rows = [Figure(GROUP, f"{peer.name}: {peer.settings}", "requests/s", rates[peer.name]) for peer in peers]
    rows.append(Figure(GROUP, f"{OURS}: key, limit, metrics and access log on", "requests/s", ours))
    normal = [peer.name for peer in peers if peer.normal]
    best = max(normal, key=lambda name: median(rates[name]))
    reference = Reference(f"best peer: {best}", rates[best])
    rows.append(Figure(GROUP, "this service against the best peer", "requests/s", ours, reference, budgets.PEERS))
    return rows


def _peer_rate(peer: Peer, python: Path, saved: Saved, folder: Path, cores: Cores, effort: Effort) -> float:
    print(f"  {peer.name}", file=sys.stderr, flush=True)
    with TemporaryDirectory(prefix="peer-", dir=folder) as own:
        launch = peer.launch(Start(python, saved, Path(own), cores.server))
        return _rate(launch, peer.post(saved), Path(own), cores, effort)


def _rate(launch: Launch, post: Post, folder: Path, cores: Cores, effort: Effort) -> float:
    """Requests a second of a server that is started for it."""
    with serving(launch, post, folder, START_SECONDS) as server:
        authorised = launch.authorised(post)
        found = [
            closed_loop.drive(server.port, authorised, connections=CONNECTIONS, seconds=seconds, core=cores.load)
            for seconds in (effort.warm_up_seconds, effort.load_seconds)
        ]
    return found[-1].rate


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    names = sorted({peer.requirements for peer in PEERS})
    parser.add_argument("--only", action="append", choices=names, help="a peer; may be repeated")
    parser.add_argument("--quick", action="store_true", help="one short round; shows that it works")
    parser.add_argument("--model-dir", type=Path, default=ROOT / "models", help="our bundle to serve (models/)")
    parser.add_argument("--write-docs", action="store_true", help="put table and chart into docs/performance.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
