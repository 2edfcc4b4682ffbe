"""A real Prometheus with the project's rules, and real services for it to scrape."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30


class Prometheus:
    """A running Prometheus."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"

    def query(self, expression, at=None):
        """The value of an instant query for each set of labels."""
        words = {"query": expression} | ({} if at is None else {"time": at})
        try:
            with urllib.request.urlopen(
                f"{self.url}/api/v1/query?{urllib.parse.urlencode(words)}", timeout=20
            ) as answer:
                data = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            pytest.fail(f"{expression}: {error.read().decode()}")
        assert data["resultType"] == "vector"
        return {frozenset(one["metric"].items()): float(one["value"][1]) for one in data["result"]}

    def await_result(self, expression):
        """The result of a query, as soon as it has one."""
        deadline = time.monotonic() + SECONDS
        while not (found := self.query(expression)):
            assert time.monotonic() < deadline, f"nothing came of {expression}"
            time.sleep(0.2)
        return found


class Service:
    """A running service."""

    def __init__(self, port, pid):
        self.port = port
        self.pid = pid

    def ask(self, method, path, body=None, **headers):
        """The status of an answer, whatever it is."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            error.read()
            return error.code

    def predict(self, rows, **headers):
        assert self.ask("POST", "/predict", {"instances": rows}, **headers) == 200


@pytest.fixture(scope="module")
def start_prometheus(require_program, pick_port, tmp_path_factory):
    """Start a Prometheus with the project's own rules; it scrapes and evaluates every second."""
    program = require_program("prometheus")

    @contextmanager
    def started(jobs, storage=None):
        folder = tmp_path_factory.mktemp("prometheus")
        scraped = [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{service.port}" for service in services]}]}
            for job, services in jobs.items()
        ]
        config = yaml.safe_load((ROOT / "monitoring/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(ROOT / "monitoring" / pattern) for pattern in config["rule_files"]]
        config["scrape_configs"] = scraped
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        port = pick_port()
        command = [
            program,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={storage or folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        with (folder / "log").open("w") as log, subprocess.Popen(command, cwd=folder, stderr=log) as process:
            try:
                await_answer(f"http://127.0.0.1:{port}/-/ready", process, folder / "log")
                yield Prometheus(port)
            finally:
                process.terminate()

    return started


@pytest.fixture(scope="module")
def start_service(bundle_folder, pick_port, tmp_path_factory):
    """Start the service with these settings."""

    @contextmanager
    def started(**settings):
        port = pick_port()
        environment = {"PATH": os.environ["PATH"], "MODEL_DIR": str(bundle_folder), "PORT": str(port)}
        environment |= {"RATE_LIMIT_PREDICT": "1000000"} | settings
        log = tmp_path_factory.mktemp("service") / "log"
        command = [sys.executable, "-m", "functions.server"]
        with (
            log.open("w") as output,
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as process,
        ):
            try:
                await_answer(f"http://127.0.0.1:{port}/health/live", process, log)
                yield Service(port, process.pid)
            finally:
                process.terminate()

    return started


def await_answer(url, process, log):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(log.read_text())


def metric_names(expression):
    """The names of the series that an expression selects."""
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]|\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)', "", expression)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    words = set(re.findall(r"(?<![\w:])[a-zA-Z_][\w:]*(?!\s*\()(?![\w:])", bare))
    return words - {"and", "or", "unless", "offset", "by", "on", "group_left", "m", "h", "d"}


@pytest.fixture(scope="session")
def metric_names_of():
    """Give the names of the series that an expression selects."""
    return metric_names
