"""The peers: how each is started on one core, and what it is asked.

Every peer runs with the settings that its own documentation gives for one core: one worker process,
telemetry off, no request log. Batching of several clients' requests is off by default in all of
them; where a peer has it, a second entry turns it on, which is not counted as its normal setting.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.environments import REQUIREMENTS
from benchmarks.peers.models import Saved
from benchmarks.processes import environment, free_port, on_core
from benchmarks.requests import Post
from benchmarks.servers import Launch

SERVERS = REQUIREMENTS / "servers"
BATCH_ROWS = 16
"""As many as there are connections."""

BATCH_SECONDS = 0.005
_JSON = {"Content-Type": "application/json"}
_NO_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""One core: numerical libraries start no further threads."""


@dataclass(frozen=True)
class Start:
    """What a peer is started with."""

    python: Path
    """Of its own environment."""
    saved: Saved
    folder: Path
    """Its working folder."""
    core: int


@dataclass(frozen=True)
class Peer:
    """A server of scikit-learn models."""

    name: str
    requirements: str
    """Name of its requirements file and of its environment."""
    settings: str
    """What was set, for the table."""
    launch: Callable[[Start], Launch]
    post: Callable[[Saved], Post]
    normal: bool = True
    """Whether these are its normal settings; only such ones count as the best peer."""


def _launch(start: Start, *words: str, port: int, **settings: str) -> Launch:
    # tools that start others find those of their own environment first
    env = environment(**_NO_THREADS, **settings)
    env["PATH"] = f"{start.python.parent}:{env['PATH']}"
    return Launch(on_core(start.core, str(start.python), *words), env, port)


def _script(start: Start, name: str) -> str:
    return str(start.python.parent / name)


def _mlflow(start: Start) -> Launch:
    port = free_port()
    words = ("models", "serve", "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    return _launch(start, _script(start, "mlflow"), *words, "--model-uri", str(start.saved.mlflow), port=port)


def _fastapi(start: Start) -> Launch:
    port = free_port()
    words = ("-m", "uvicorn", "fastapi_app:app", "--app-dir", str(SERVERS), "--port", str(port))
    quiet = ("--no-access-log", "--log-level", "warning")
    return _launch(start, *words, *quiet, port=port, MODEL=str(start.saved.mlflow))


def _mlserver(batch: int) -> Callable[[Start], Launch]:
    def launch(start: Start) -> Launch:
        port = free_port()
        server = {
            "host": "127.0.0.1", "http_port": port, "grpc_port": free_port(), "metrics_port": free_port(),
            "parallel_workers": 0, "debug": False,
        }  # fmt: skip
        model: dict[str, object] = {
            "name": "forest",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(start.saved.joblib)},
        }
        if batch > 1:
            model |= {"max_batch_size": batch, "max_batch_time": BATCH_SECONDS}
        (start.folder / "settings.json").write_text(json.dumps(server), encoding="utf-8")
        (start.folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
        return _launch(start, _script(start, "mlserver"), "start", str(start.folder), port=port)

    return launch


def _litserve(batch: int) -> Callable[[Start], Launch]:
    def launch(start: Start) -> Launch:
        port = free_port()
        settings = {"BATCH": str(batch), "BATCH_SECONDS": str(BATCH_SECONDS), "PORT": str(port)}
        return _launch(start, str(SERVERS / "litserve_app.py"), port=port, MODEL=str(start.saved.joblib), **settings)

    return launch


def _bentoml(batch: int) -> Callable[[Start], Launch]:
    def launch(start: Start) -> Launch:
        port = free_port()
        words = ("serve", "bentoml_service:Forest", "--working-dir", str(SERVERS), "--host", "127.0.0.1")
        settings = {"BATCH": str(batch), "MODEL": str(start.saved.joblib), "BENTOML_HOME": str(start.folder)}
        return _launch(start, _script(start, "bentoml"), *words, "--port", str(port), port=port, **settings)

    return launch


def _json_post(path: str, read: Callable[[Saved], object]) -> Callable[[Saved], Post]:
    return lambda saved: Post(path, json.dumps(read(saved)).encode(), _JSON)


_ask_mlflow = _json_post(
    "/invocations", lambda saved: {"dataframe_split": {"columns": saved.names, "data": [saved.row]}}
)
_ask_fastapi = _json_post("/predict", lambda saved: {"columns": saved.names, "data": [saved.row]})
_ask_mlserver = _json_post(
    "/v2/models/forest/infer",
    lambda saved: {"inputs": [{"name": "x", "shape": [1, len(saved.row)], "datatype": "FP64", "data": [saved.row]}]},
)
_ask_litserve = _json_post("/predict", lambda saved: {"row": saved.row})
_ask_bentoml = _json_post("/predict", lambda saved: {"rows": [saved.row]})

BATCHED = f"batching on: {BATCH_ROWS} rows, {BATCH_SECONDS * 1e3:g} ms"

PEERS = (
    Peer("mlflow models serve", "mlflow", "--env-manager local --workers 1", _mlflow, _ask_mlflow),
    Peer(
        "FastAPI + mlflow.sklearn",
        "fastapi",
        "uvicorn[standard], one process, async handler",
        _fastapi,
        _ask_fastapi,
    ),
    Peer("MLServer", "mlserver", "mlserver-sklearn, parallel_workers 0", _mlserver(0), _ask_mlserver),
    Peer("BentoML", "bentoml", "workers=1", _bentoml(0), _ask_bentoml),
    Peer("LitServe", "litserve", "workers_per_device=1, accelerator cpu", _litserve(0), _ask_litserve),
    Peer("MLServer, batching", "mlserver", BATCHED, _mlserver(BATCH_ROWS), _ask_mlserver, normal=False),
    Peer(
        "BentoML, batching",
        "bentoml",
        f"batching on: at most {BATCH_ROWS} rows",
        _bentoml(BATCH_ROWS),
        _ask_bentoml,
        normal=False,
    ),
    Peer("LitServe, batching", "litserve", BATCHED, _litserve(BATCH_ROWS), _ask_litserve, normal=False),
)
