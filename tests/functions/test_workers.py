"""Several worker processes show their metrics as one."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SERVER = [sys.executable, "-m", "functions.server"]
SECONDS = 30


def ask(port, method="GET", path="/metrics", body=None):
    """A request on a connection of its own, so that any worker may take it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.status == 200
        return response.read().decode()
    finally:
        connection.close()


def samples(port):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(ask(port))
        for sample in family.samples
    }


def total(found, name, **labels):
    wanted = set(labels.items())
    return sum(value for key, value in found.items() if key[0] == name and wanted <= set(key[1:]))


@pytest.fixture
def serve(bundle_folder, free_port, tmp_path):
    """Start a server with these settings; gives its process and its port once all its workers answer."""

    @contextmanager
    def started(**settings):
        environment = {"PATH": os.environ["PATH"], "MODEL_DIR": str(bundle_folder), "PORT": str(free_port)}
        environment |= {"RATE_LIMIT_PREDICT": "1000000", "WORKERS": "2"} | settings
        with (tmp_path / "output").open("w") as output:
            process = subprocess.Popen(SERVER, cwd=ROOT, env=environment, stdout=output, stderr=output)
            try:
                await_workers(process, free_port, int(environment["WORKERS"]))
                yield process, free_port
            finally:
                process.terminate()
                assert process.wait(SECONDS) == 0

    return started


def workers_of(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def await_workers(process, port, count):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            ask(port)
            workers = workers_of(process)
            if len(workers) >= count and (count == 1 or all(map(files_of, workers))):
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise TimeoutError


def predict_many(port, rows, count):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: ask(port, "POST", "/predict", json.dumps(rows[number % len(rows)])), range(count)))


def files_of(worker):
    """The files of metrics that a worker has mapped."""
    maps = Path(f"/proc/{worker}/maps").read_text().splitlines()
    return {Path(line.split()[-1]) for line in maps if line.endswith(".db")}


def predictions_in(file):
    families = MultiProcessCollector.merge([str(file)])
    return sum(s.value for family in families for s in family.samples if s.name == "model_predictions_total")


def test_predictions_of_all_workers_are_counted_exactly_whichever_answers(serve, model, rows):
    """Also where nothing but shared memory can be written."""
    with serve(TMPDIR="/nonexistent") as (process, port):
        predict_many(port, rows, 300)
        ask(port, "POST", "/predict", json.dumps({"instances": rows}))
        (folder,) = {file.parent for worker in workers_of(process) for file in files_of(worker)}
        by_worker = [predictions_in(folder / f"counter_{worker}.db") for worker in workers_of(process)]
        assert all(by_worker)
        assert sum(by_worker) == 300 + len(rows)
        scrapes = [samples(port) for _ in range(12)]
        for found in scrapes:
            assert total(found, "model_predictions_total") == 300 + len(rows)
            assert total(found, "model_confidence_count") == 300 + len(rows)
            for name in model.metadata.feature_names:
                assert total(found, "model_feature_values_total", feature=name) == 300 + len(rows)
            posts = {"method": "POST", "status": "200", "url_rule": "/predict"}
            assert total(found, "flask_http_request_duration_seconds_count", **posts) == 301
            assert found["model_loaded",] == 1
            assert total(found, "model_info") == 1
            assert total(found, "model_feature_reference_ratio", feature="petal_width") == pytest.approx(1)
        assert len({frozenset(key for key in found) for found in scrapes[1:]}) == 1
        cpu = [found["process_cpu_seconds_total",] for found in scrapes]
        assert cpu == sorted(cpu)
        assert scrapes[0]["process_resident_memory_bytes",] > 100e6
    assert folder.parent == Path("/dev/shm")
    assert not folder.exists()


def test_counts_of_replaced_workers_stay_and_their_gauges_go(serve, rows, tmp_path):
    with serve(PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "shared")) as (process, port):
        predict_many(port, rows, 50)
        first = set(workers_of(process))
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + SECONDS
        while first & set(workers_of(process)) or len(workers_of(process)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        await_workers(process, port, 2)
        predict_many(port, rows, 50)
        assert total(samples(port), "model_predictions_total") == 100
        gauges = {int(path.stem.rpartition("_")[2]) for path in (tmp_path / "shared").glob("gauge_live*.db")}
        assert not gauges & first


def test_folder_is_emptied_at_start_and_other_files_stay(serve, rows, tmp_path):
    shared = tmp_path / "shared"
    with serve(PROMETHEUS_MULTIPROC_DIR=str(shared)) as (_, port):
        predict_many(port, rows, 10)
    assert list(shared.glob("counter_*.db"))
    (shared / "notes.txt").write_text("mine")
    with serve(PROMETHEUS_MULTIPROC_DIR=str(shared)) as (_, port):
        assert total(samples(port), "model_predictions_total") == 0
    assert (shared / "notes.txt").read_text() == "mine"


def test_one_worker_counts_in_its_memory(serve, rows, tmp_path):
    shared = tmp_path / "shared"
    with serve(PROMETHEUS_MULTIPROC_DIR=str(shared), WORKERS="1") as (process, port):
        predict_many(port, rows, 10)
        assert total(samples(port), "model_predictions_total") == 10
        assert not shared.exists()
        assert not any(map(files_of, workers_of(process)))


def test_folder_that_cannot_be_made_is_told_with_its_setting(bundle_folder, tmp_path, free_port):
    (tmp_path / "file").write_text("")
    environment = {"PATH": os.environ["PATH"], "MODEL_DIR": str(bundle_folder), "PORT": str(free_port)}
    environment |= {"WORKERS": "2", "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "file" / "shared")}
    ended = subprocess.run(
        SERVER, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("PROMETHEUS_MULTIPROC_DIR: ")
    assert "Traceback" not in ended.stderr


SERVE_MANY_VERSIONS = """
import copy, sys
from pathlib import Path
from functions.metrics import ServiceMetrics
from functions.model import Model

metrics = ServiceMetrics(Path(sys.argv[1]))
model = Model.from_folder(Path(sys.argv[2]), max_rows=10)
for number in [*range(20), 16]:
    served = copy.copy(model)
    served.version = f"v{number}"
    metrics.serve_model(served)
print(metrics.exposition(None)[0])
"""


def test_versions_that_are_over_are_left_out(bundle_folder, tmp_path):
    environment = {"PATH": os.environ["PATH"], "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", SERVE_MANY_VERSIONS, str(tmp_path), str(bundle_folder)]
    shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r'version="(v\d+)"', shown)) == {"v18", "v19", "v16"}
    assert set(re.findall(r'model_info{run_id=".*",version="(v\d+)"} 1', shown)) == {"v16"}
