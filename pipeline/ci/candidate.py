"""The candidate over HTTPS: where it is reached, and whether it answers as its bundle says."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from pipeline.ci.build import Build
from pipeline.ci.cloud_run import Service
from pipeline.errors import DeliveryError

TOLERANCE = 1e-5
"""As in the export's proof of parity (pipeline/parity.py)."""

TIMEOUT_SECONDS = 30
LIMITED_SECONDS = 180
"""So long a request is repeated that the service's own limit refuses."""


@dataclass(frozen=True)
class Answer:
    """Status, headers (by their names in lower case) and body of an answer, and the seconds until it was there."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


@dataclass(frozen=True)
class Bundle:
    """What a candidate must know: the version of its model, and rows with their answers."""

    version: str
    classes: list[str]
    examples: list[dict[str, Any]]


def read_bundle(path: Path) -> Bundle:
    """The bundle of which this is the metadata.json."""
    found = json.loads(path.read_bytes())
    return Bundle(found["version"], [label_key(name) for name in found["target_names"]], found["golden_examples"])


class Candidate:
    """The revision under test: its own address, or the load balancer's with the header that leads to it."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        """Name where it is; nothing is asked yet."""
        self._url, self._headers = url, headers

    def ask(self, path: str, body: object = None) -> Answer:
        """Send a request, again for a while when the service's limit refuses it.

        Raises:
            DeliveryError: nobody answers.
        """
        deadline = time.monotonic() + LIMITED_SECONDS
        while True:
            answer = self._ask(path, body)
            if answer.status != 429 or time.monotonic() > deadline:
                return answer
            time.sleep(retry_seconds(answer.headers))

    def _ask(self, path: str, body: object) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        headers = dict(self._headers) | ({} if data is None else {"Content-Type": "application/json"})
        request = urllib.request.Request(self._url + path, data, headers)  # noqa: S310 -- a URL of our own service
        begun = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
                return Answer(response.status, lowered(response.headers), response.read(), time.monotonic() - begun)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, lowered(error.headers), error.read(), time.monotonic() - begun)
        except OSError as error:
            raise DeliveryError(f"{self._url}{path}: no answer ({error})") from error


def reach(build: Build, service: Service) -> Candidate:
    """The candidate, by the way that the service's exposure leaves open."""
    key = {"X-API-Key": build.api_key} if build.api_key else {}
    if build.service_url:
        return Candidate(build.service_url, key | {"X-Candidate": build.candidate_token})
    return Candidate(service.candidate_url(), key)


def predict(candidate: Candidate, bundle: Bundle) -> Answer:
    """Send all golden examples in one request, and check each answer.

    Raises:
        DeliveryError: an answer is another than the model gave when it was trained, or another model's.
    """
    answer = candidate.ask("/predict", {"instances": [example["instance"] for example in bundle.examples]})
    fault = predictions_fault(answer, bundle)
    if fault is not None:
        raise DeliveryError(f"POST /predict: {fault}")
    return answer


def predictions_fault(answer: Answer, bundle: Bundle) -> str | None:
    """What is wrong with the answer to the golden examples; None: nothing."""
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[:300].decode(errors='replace')}"
    version = answer.headers.get("x-model-version")
    if version != bundle.version:
        return f"answered by model {version}, not by {bundle.version}"
    predictions = json.loads(answer.body)["predictions"]
    for number, (example, found) in enumerate(zip(bundle.examples, predictions, strict=True)):
        if found["prediction"] != example["prediction"]:
            return f"golden example {number}: {found['prediction']!r}, not {example['prediction']!r}"
        for name, expected in zip(bundle.classes, example["probabilities"], strict=True):
            if abs(found["probabilities"][name] - expected) > TOLERANCE:
                return f"golden example {number}: {name} has {found['probabilities'][name]}, not {expected}"
    return None


def lowered(headers: Message) -> dict[str, str]:
    """Headers by their names in lower case: proxies write them as they like."""
    return {name.lower(): value for name, value in headers.items()}


def retry_seconds(headers: Mapping[str, str]) -> float:
    """How long the service asks to wait, between 1 s and 60 s."""
    text = headers.get("retry-after") or ""
    return min(max(float(text), 1.0), 60.0) if text.isdigit() else 5.0


def label_key(label: object) -> str:
    """A class as the key of a JSON object, as functions/bundle/metadata.py says."""
    return str(label).lower() if isinstance(label, bool) else str(label)
