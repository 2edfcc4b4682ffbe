"""Takes the pictures of the pages from the real system, with a headless Chromium: make docs-images.

It starts the service of the released model, Prometheus with the project's rules, and MLflow's interface of the local
store; sends the service first rows of the training data, then the same rows with one feature shifted; and photographs
what a person sees of that.
"""

import csv
import json
import os
import random
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

import yaml
from PIL import Image

from benchmarks.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs/images"
LARGEST = 100_000
"""Bytes of a picture."""

COLOURS = 128
SHIFT = ("sepal_length", 0.8)
ROWS_A_SECOND = 10
SECONDS_OF_EACH_STREAM = 60
INDEX = "job_version_feature:model_feature_psi:6h"


@contextmanager
def running(command: Sequence[object], url: str, **environment: str) -> Iterator[None]:
    """A program, once `url` answers, until the block ends.

    Raises:
        TimeoutError: it does not answer within a minute.
    """
    process = subprocess.Popen(
        [*map(str, command)],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not answers(url):
            if time.monotonic() > deadline or process.poll() is not None:
                raise TimeoutError(f"{command[0]} does not answer at {url}")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def answers(url: str) -> bool:
    """Whether a URL is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def training_rows() -> list[dict[str, float]]:
    """The features of the default data, in random order."""
    with (ROOT / "data/raw/iris.csv").open(encoding="utf-8") as file:
        rows = [{name: float(text) for name, text in row.items() if name != "species"} for row in csv.DictReader(file)]
    random.Random(7).shuffle(rows)
    return rows


def page_of_run(runs: str) -> str:
    """Address of the page that MLflow's interface has of the released model's run."""
    run = json.loads((ROOT / "models/metadata.json").read_text(encoding="utf-8"))["mlflow_run_id"]
    with urllib.request.urlopen(f"{runs}/api/2.0/mlflow/runs/get?run_id={run}", timeout=10) as answer:
        experiment = json.load(answer)["run"]["info"]["experiment_id"]
    return f"{runs}/#/experiments/{experiment}/runs/{run}"


def send(service: str, rows: Sequence[dict[str, float]], seconds: int) -> None:
    """Ask for predictions of the rows, over and over, at a steady rate."""
    for number in range(seconds):
        start = number * ROWS_A_SECOND
        chosen = [rows[place % len(rows)] for place in range(start, start + ROWS_A_SECOND)]
        body = json.dumps({"instances": chosen}).encode()
        request = urllib.request.Request(f"{service}/predict", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10):
            time.sleep(1)


def photograph(chromium: str, url: str, name: str, size: tuple[int, int]) -> None:
    """Write a picture of a page to docs/images, with few colours so that it is small.

    Raises:
        ValueError: the picture is larger than a page should carry.
    """
    with TemporaryDirectory() as folder:
        raw = Path(folder) / "page.png"
        command = [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *(f"--user-data-dir={folder}/profile", f"--window-size={size[0]},{size[1]}"),
            *("--virtual-time-budget=20000", f"--screenshot={raw}", url),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        picture = IMAGES / name
        Image.open(raw).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)
    if picture.stat().st_size > LARGEST:
        raise ValueError(f"{picture} has {picture.stat().st_size} bytes: make its window smaller")


def prometheus_settings(folder: Path, service: str) -> Path:
    """The stack's own configuration, for this service, looking every second."""
    settings = yaml.safe_load((ROOT / "monitoring/prometheus.yml").read_text(encoding="utf-8"))
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings["rule_files"] = [str(ROOT / "monitoring" / pattern) for pattern in settings["rule_files"]]
    settings["scrape_configs"][0]["static_configs"][0]["targets"] = [service.removeprefix("http://")]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def main() -> None:
    """Take them all."""
    chromium, prometheus = (shutil.which(name) for name in ("chromium", "prometheus"))
    if not chromium or not prometheus:
        sys.exit("error: it takes chromium and prometheus: apt-get install chromium prometheus")
    service, metrics, runs = (f"http://127.0.0.1:{free_port()}" for _ in range(3))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        started = [
            (
                [sys.executable, "-m", "functions.server"],
                f"{service}/health/ready",
                {"PORT": service.rpartition(":")[2], "RATE_LIMIT_PREDICT": "1000000"},
            ),
            (
                [
                    prometheus,
                    f"--config.file={prometheus_settings(folder, service)}",
                    f"--storage.tsdb.path={folder / 'series'}",
                    f"--web.listen-address={metrics.removeprefix('http://')}",
                ],
                f"{metrics}/-/ready",
                {},
            ),
            (
                [
                    *(sys.executable, "-m", "mlflow", "ui", "--workers", 1),
                    *("--backend-store-uri", "sqlite:///mlflow.db", "--port", runs.rpartition(":")[2]),
                ],
                f"{runs}/health",
                {},
            ),
        ]
        for command, url, environment in started:
            stack.enter_context(running(command, url, **environment))
        photograph(chromium, f"{service}/docs", "service-docs.png", (1200, 900))
        photograph(chromium, page_of_run(runs), "mlflow-run.png", (1500, 1300))
        rows = training_rows()
        send(service, rows, SECONDS_OF_EACH_STREAM)
        name, shift = SHIFT
        send(service, [row | {name: row[name] + shift} for row in rows], SECONDS_OF_EACH_STREAM)
        graph = {"g0.expr": INDEX, "g0.tab": 0, "g0.range_input": f"{2 * SECONDS_OF_EACH_STREAM}s"}
        photograph(chromium, f"{metrics}/graph?{urlencode(graph)}", "drift-index.png", (1200, 900))


if __name__ == "__main__":
    main()
