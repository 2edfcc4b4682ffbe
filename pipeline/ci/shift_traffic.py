"""Step shift-traffic: give the candidate more and more of the traffic while it answers without errors.

python3 -m pipeline.ci.shift_traffic
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from pipeline.ci import deployment, shell
from pipeline.ci.build import TARGET, Build, read_build
from pipeline.ci.candidate import predict, reach, read_bundle
from pipeline.ci.cloud_run import Requests, Service
from pipeline.ci.shell import Run
from pipeline.ci.smoke_test import METADATA
from pipeline.ci.target import read_target
from pipeline.errors import DeliveryError

LOG_SECONDS = 10
"""An entry of the request log can be read some seconds after its request."""

PATIENCE = 5
"""So many times _STEP_SECONDS users' requests are waited for where the build can send none of its own."""


def shift_traffic(run: Run, build: Build) -> str:
    """Shift all traffic to the candidate; what was deployed is undone when a step of it fails."""
    target = read_target(TARGET)
    if target is None or not target.revision:
        return "no revision to give traffic to"
    with deployment.undone_on_failure(run, build):
        service = Service(run, build.service, build.region)
        candidate, bundle = reach(build, service), read_bundle(METADATA)
        shift(service, target.revision, build, lambda: predict(candidate, bundle))
    return f"{target.revision} has all traffic"


def shift(service: Service, revision: str, build: Build, send: Callable[[], object] | None = None) -> None:
    """Give `revision` more and more of the traffic, as long as few enough of its answers are server errors.

    `send` reaches it whatever its share, and raises when its answer is wrong; None: only users' requests count.

    Raises:
        DeliveryError: too many are.
    """
    before = service.table().shares
    for percent in build.traffic_steps:
        service.set_traffic(shares(before, revision, percent))
        check(observe(service, revision, build, send), percent, build.max_error_rate)


def observe(service: Service, revision: str, build: Build, send: Callable[[], object] | None) -> Requests:
    """Let users send requests for a time, and give what is logged of them.

    What users do not send, `send` does. Where there is none, they are waited for PATIENCE times as long.
    """
    since = datetime.now(UTC).isoformat(timespec="milliseconds")
    deadline = time.monotonic() + PATIENCE * build.step_seconds
    time.sleep(build.step_seconds)
    found = _logged(service, revision, since)
    if send is not None:
        for _ in range(build.step_requests - found.total):
            send()
        return found
    while found.total < build.step_requests and time.monotonic() < deadline:
        found = _logged(service, revision, since)
    if found.total < build.step_requests:
        shell.say(
            f"{service.region}: users sent {revision} {found.total} requests in {PATIENCE * build.step_seconds:g} s, "
            f"fewer than {build.step_requests} (_STEP_REQUESTS); going on by those"
        )
    return found


def _logged(service: Service, revision: str, since: str) -> Requests:
    time.sleep(LOG_SECONDS)
    return service.requests(revision, since)


def check(requests: Requests, percent: int, max_error_rate: float) -> None:
    """Compare the share of server errors with its bound.

    Raises:
        DeliveryError: it is higher.
    """
    if requests.errors > max_error_rate * requests.total:
        raise DeliveryError(
            f"at {percent} % the candidate answered {requests.errors} of {requests.total} requests with a server "
            f"error; at most {max_error_rate:.1%} may be (_MAX_ERROR_RATE)"
        )


def shares(before: Mapping[str, int], candidate: str, percent: int) -> dict[str, int]:
    """The traffic table in which the candidate has `percent`, and the others the rest as they shared it before.

    Whole numbers that add up to 100: what rounding leaves over goes to the largest remainders.
    """
    others = {revision: share for revision, share in before.items() if revision != candidate}
    rest, total = 100 - percent, sum(others.values())
    if not total:
        return {candidate: 100}
    exact = {revision: rest * share / total for revision, share in others.items()}
    table = {revision: int(share) for revision, share in exact.items()}
    by_remainder = sorted(exact, key=lambda revision: table[revision] - exact[revision])
    for revision in by_remainder[: rest - sum(table.values())]:
        table[revision] += 1
    return {revision: share for revision, share in table.items() if share} | {candidate: percent}


if __name__ == "__main__":
    shell.step(lambda: shift_traffic(shell.run, read_build()))
