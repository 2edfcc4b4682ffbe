"""Step smoke-test: the candidate is ready, gives its golden examples' answers, and is fast enough.

python3 -m pipeline.ci.smoke_test
"""

import statistics
import time
from pathlib import Path

from pipeline.ci import deployment, shell
from pipeline.ci.build import TARGET, Build, read_build
from pipeline.ci.candidate import Bundle, Candidate, predict, reach, read_bundle
from pipeline.ci.cloud_run import Service
from pipeline.ci.shell import Run
from pipeline.ci.target import read_target
from pipeline.errors import DeliveryError

READY_SECONDS = 120
"""A load balancer takes so long to know a revision."""

SAMPLES = 5
METADATA = Path("models/metadata.json")


def smoke_test(run: Run, build: Build) -> str:
    """Test the candidate; what was deployed is undone when it fails."""
    target = read_target(TARGET)
    if target is None or not target.revision:
        return "no revision to test"
    with deployment.undone_on_failure(run, build):
        candidate = reach(build, Service(run, build.service, build.region))
        return check(candidate, read_bundle(METADATA), max_latency_ms=build.max_latency_ms)


def check(candidate: Candidate, bundle: Bundle, *, max_latency_ms: float, ready_seconds: float = READY_SECONDS) -> str:
    """Check readiness, golden examples, and the median latency of single rows.

    Raises:
        DeliveryError: at the first that fails.
    """
    _await_ready(candidate, ready_seconds)
    predict(candidate, bundle)
    median = statistics.median(_seconds_of_one_row(candidate, bundle) for _ in range(SAMPLES)) * 1000
    if median > max_latency_ms:
        raise DeliveryError(f"POST /predict takes {median:.0f} ms (median of {SAMPLES}), more than {max_latency_ms:g}")
    return f"model {bundle.version}: {len(bundle.examples)} golden examples agree; one row takes {median:.0f} ms"


def _seconds_of_one_row(candidate: Candidate, bundle: Bundle) -> float:
    answer = candidate.ask("/predict", bundle.examples[0]["instance"])
    if answer.status != 200:
        raise DeliveryError(f"POST /predict with one row: status {answer.status}: {answer.body[:300]!r}")
    return answer.seconds


def _await_ready(candidate: Candidate, seconds: float) -> None:
    deadline, said = time.monotonic() + seconds, ""
    while True:
        try:
            answer = candidate.ask("/health/ready")
            if answer.status == 200:
                return
            said = f"status {answer.status}"
        except DeliveryError as error:
            said = str(error)
        if time.monotonic() > deadline:
            raise DeliveryError(f"GET /health/ready is not 200 after {seconds:g} s: {said}")
        time.sleep(1)


if __name__ == "__main__":
    shell.step(lambda: smoke_test(shell.run, read_build()))
