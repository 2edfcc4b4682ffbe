"""Predict through the service in the cluster, and print what was asked and answered.

The key is read from a pod, the row is the example of the model's own OpenAPI document, and the way leads through
a port-forward to the Service. Needs Python's standard library and kubectl.
"""

import argparse
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class CannotAsk(Exception):
    """The service can't be asked; the message says why and what to do."""


def main() -> None:
    """Ask once; exit with 1 when the answer is no prediction."""
    parser = argparse.ArgumentParser(description="Predict through the service in the cluster.")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--app", required=True, help="name of the Deployment and of the Service")
    options = parser.parse_args()
    kubectl = ["kubectl", "--namespace", options.namespace]
    try:
        key = read_key(kubectl, options.app)
        with forwarded(kubectl, options.app) as url:
            row = example_row(url)
            status, answer = predict(url, row, key)
    except CannotAsk as error:
        sys.exit(f"error: {error}")
    print(f"POST /predict {json.dumps(row)}\n{status} {json.dumps(answer)}")
    if status != 200 or "prediction" not in answer:
        sys.exit("error: that is no prediction; see make k8s-logs")


def read_key(kubectl: list[str], app: str) -> str:
    """The first key that the pods serve with."""
    command = [*kubectl, "exec", f"deployment/{app}", "--", "sh", "-c", 'cat "$API_KEY_FILE"']
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    keys = done.stdout.split()
    if done.returncode or not keys:
        raise CannotAsk(f"no pod says its key ({done.stderr.strip() or 'the file is empty'}); see make k8s-status")
    return keys[0]


@contextmanager
def forwarded(kubectl: list[str], app: str) -> Iterator[str]:
    """The service's address on this machine, while the block runs."""
    command = [*kubectl, "port-forward", f"service/{app}", ":http"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            # its first line: Forwarding from 127.0.0.1:PORT -> 8000
            said = process.stdout.readline() if process.stdout else ""
            if not said.startswith("Forwarding from 127.0.0.1:"):
                raise CannotAsk(f"the service can't be reached ({said.strip()}); see make k8s-status")
            yield f"http://{said.split()[2]}"
        finally:
            process.terminate()


def example_row(url: str) -> dict[str, float]:
    """A row that the served model takes, from its OpenAPI document."""
    status, document = ask(urllib.request.Request(f"{url}/openapi.json"))
    if status != 200:
        raise CannotAsk(f"/openapi.json is answered with {status}; see make k8s-logs")
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    row: dict[str, float] = content["examples"]["row"]["value"]
    return row


def predict(url: str, row: dict[str, float], key: str) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to one row."""
    headers = {"Content-Type": "application/json", "X-API-Key": key}
    return ask(urllib.request.Request(f"{url}/predict", json.dumps(row).encode(), headers))


def ask(request: urllib.request.Request) -> tuple[int, dict[str, Any]]:
    """Status and decoded body, of an error too."""
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    except OSError as error:
        raise CannotAsk(f"the service does not answer ({error}); see make k8s-logs") from error
    with answer:
        try:
            return answer.status, json.load(answer)
        except ValueError as error:
            raise CannotAsk(f"the service answers {answer.status} without JSON; see make k8s-logs") from error


if __name__ == "__main__":
    main()
