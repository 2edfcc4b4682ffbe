"""What a build was told: substitutions and secrets, which Cloud Build puts into the environment of a step."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DeliveryError

FOLDER = Path("artifacts/delivery")
"""What the steps of one build tell each other."""

IMAGE = FOLDER / "image.txt"
"""The pushed image, by digest."""

COMPARED = FOLDER / "champion.txt"
"""Version of the champion that was fetched, which the candidate is compared with; empty: there was none."""

TARGET = FOLDER / "target.json"
"""What is being brought into service. There is none while there is nothing to bring it to."""

PROMOTED = FOLDER / "promoted"
"""Exists when the pointer has been moved."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """The settings of one build. Empty: there is no such thing, such as a VM group."""

    id: str
    location: str
    region: str
    secondary_region: str
    service: str
    runtime_service_account: str
    models_bucket: str
    service_url: str
    candidate_token: str
    vm_group: str
    api_key: str
    max_latency_ms: float
    traffic_steps: tuple[int, ...]
    step_requests: int
    step_seconds: float
    max_error_rate: float
    scan_severity: str

    @property
    def deployment(self) -> str:
        """Where in Storage the state of the deployment is kept."""
        return f"gs://{self.models_bucket}/deployment"


def read_build(environ: Mapping[str, str] = os.environ) -> Build:
    """The settings of the build that this process is a step of.

    Raises:
        DeliveryError: a substitution is missing or unreadable.
    """
    try:
        return Build(
            id=environ["BUILD_ID"],
            location=environ["BUILD_LOCATION"],
            region=environ["_REGION"],
            secondary_region=environ["_SECONDARY_REGION"],
            service=environ["_SERVICE"],
            runtime_service_account=environ["_RUNTIME_SERVICE_ACCOUNT"],
            models_bucket=environ["_MODELS_BUCKET"],
            service_url=environ["_SERVICE_URL"].rstrip("/"),
            candidate_token=environ["_CANDIDATE_TOKEN"],
            vm_group=environ["_VM_GROUP"],
            api_key=last_key(environ.get("API_KEY", "")),
            max_latency_ms=float(environ["_MAX_LATENCY_MS"]),
            traffic_steps=parse_steps(environ["_TRAFFIC_STEPS"]),
            step_requests=int(environ["_STEP_REQUESTS"]),
            step_seconds=float(environ["_STEP_SECONDS"]),
            max_error_rate=float(environ["_MAX_ERROR_RATE"]),
            scan_severity=environ["_SCAN_SEVERITY"],
        )
    except KeyError as error:
        raise DeliveryError(f"{error.args[0]} is not set; run this as a step of cloudbuild.yaml") from error
    except ValueError as error:
        raise DeliveryError(f"a substitution is no number: {error}; see the header of cloudbuild.yaml") from error


def last_key(secret: str) -> str:
    """The last of a secret's keys, one a line: the build may have one of its own, with a limit of its own, there."""
    return next((line.strip() for line in reversed(secret.splitlines()) if line.strip()), "")


def parse_steps(text: str) -> tuple[int, ...]:
    """Shares of the traffic in percent, ascending to 100.

    Raises:
        DeliveryError: they do not.
    """
    steps = tuple(int(word) for word in text.split())
    if not steps or steps[0] < 1 or steps[-1] != 100 or list(steps) != sorted(set(steps)):
        raise DeliveryError(f"_TRAFFIC_STEPS={text!r}: are no ascending percents that end with 100, such as 10 50 100")
    return steps
