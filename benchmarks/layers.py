"""Group `layers`: where the time of a request goes, by a clock around the real parts, in process.

`python -m benchmarks.layers BUNDLE REQUESTS` calls the app as the server does (WSGI), without any
network, and prints microseconds by layer as JSON. A layer's time is without that of the layers
which it calls; all of them together are the whole request.
"""

import argparse
import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.effort import Effort
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure, Reference
from benchmarks.machine import Cores
from benchmarks.processes import on_core, python, run_to_end
from benchmarks.requests import Post, one_row, read_metadata

GROUP = "layers"
FLASK = "Flask, Werkzeug, WSGI"
TOTAL, BARE = "whole request", "bare Flask handler"
_KEY = "k" * 64
_WARM_UP_BLOCKS = 2
_BLOCK = 250

Wsgi = Callable[..., Any]


def measure(bundle: Path, cores: Cores, effort: Effort) -> list[Figure]:
    """Time of each layer in microseconds, and of the whole against the bare handler."""
    rounds: list[dict[str, float]] = []
    for _ in range(effort.rounds):
        command = python("-m", "benchmarks.layers", str(bundle), str(effort.layer_requests))
        rounds.append(json.loads(run_to_end(on_core(cores.server, *command))))
    return layer_figures(rounds)


def layer_figures(rounds: list[dict[str, float]]) -> list[Figure]:
    """The figures of rounds of layers; the last one checks that the layers explain the whole."""
    names = [name for name in rounds[0] if name not in (TOTAL, BARE)]
    whole = [found[TOTAL] for found in rounds]
    figures = [Figure(GROUP, name, "us", [found[name] for found in rounds]) for name in names]
    layers = [sum(found[name] for name in names) for found in rounds]
    return [
        *figures,
        Figure(GROUP, "sum of the layers", "us", layers, Reference("whole request, without the clock", whole)),
        Figure(GROUP, TOTAL, "us", whole, Reference(BARE, [found[BARE] for found in rounds])),
    ]


def watched_parts() -> list[tuple[str, type[Any], str]]:
    """The layers, and which class's method does the work of each."""
    from werkzeug.wrappers import Request, Response

    from functions.access_log import AccessLog
    from functions.auth import ApiKeys
    from functions.bundle.runtime import Classifier
    from functions.instances import InstanceDecoder
    from functions.limits import Limits
    from functions.metrics import ServiceMetrics
    from functions.model import Model

    return [
        # what a view does through Werkzeug, as the bare handler does too
        (FLASK, Request, "get_data"),
        (FLASK, Response, "__init__"),
        ("key", ApiKeys, "identify"),
        ("limit", Limits, "hit"),
        ("limit", Limits, "refuse_blocked"),
        ("decode and validate", InstanceDecoder, "decode"),
        ("inference", Classifier, "probabilities"),
        ("encode the answer", Model, "answer_one"),
        ("metrics of the prediction, drift", ServiceMetrics, "count_prediction"),
        ("metrics of the request", ServiceMetrics, "count_response"),
        ("access log", AccessLog, "log"),
    ]


def run(bundle: Path, requests: int) -> dict[str, float]:
    """Microseconds of a request by layer, of the whole request and of the bare handler."""
    from benchmarks.bare import create_app as create_bare
    from benchmarks.layer_clock import LayerClock, Overhead

    post = one_row(read_metadata(bundle))
    with tempfile.TemporaryFile() as log:
        plain = _create_service(bundle, log)
        bare: Wsgi = create_bare().wsgi_app
        whole: Wsgi = plain.wsgi_app
        clock, overhead = LayerClock(), Overhead()
        # an app binds some of the parts when it is made, and looks others up with each request
        with _watching(clock):
            app = _create_service(bundle, log)
        for hooks, layer in ((app.before_request_funcs, "open: id, clock"), (app.after_request_funcs, "headers")):
            for functions in hooks.values():
                functions[:] = [clock.watched(layer, function) for function in functions]
        for name, view in app.view_functions.items():
            app.view_functions[name] = clock.watched("route", view)
        layered = clock.watched(FLASK, app.wsgi_app)

        def in_turns(blocks: int) -> dict[str, float]:
            """Seconds of the blocks, in turns, so that what else happens on the machine meets all alike."""
            seconds = {TOTAL: 0.0, BARE: 0.0}
            for _ in range(blocks):
                seconds[TOTAL] += _seconds(whole, post, _BLOCK)
                seconds[BARE] += _seconds(bare, post, _BLOCK)
                with _watching(clock):
                    _seconds(layered, post, _BLOCK)
            return seconds

        in_turns(_WARM_UP_BLOCKS)
        clock.reset()
        blocks = max(1, requests // _BLOCK)
        times = in_turns(blocks)
        measured = blocks * _BLOCK
        found = clock.microseconds(measured, overhead)
    return found | {name: seconds / measured * 1e6 for name, seconds in times.items()}


def _create_service(bundle: Path, log: Any) -> Any:
    from functions.access_log import AccessLog
    from functions.app import create_app
    from functions.champion import Champion
    from functions.model import Model
    from functions.settings import PRODUCTION, Settings

    settings = Settings(
        environment=PRODUCTION, api_keys=(_KEY,), cors_origins=("https://app.example.com",), model_dir=bundle,
        rate_limit_predict=10**9,
    )  # fmt: skip
    model = Model.from_folder(bundle, settings.max_batch_rows)
    return create_app(settings, Champion(model), AccessLog(log))


@contextmanager
def _watching(clock: Any) -> Iterator[None]:
    """Put the clock around the parts, before an app binds them."""
    parts = watched_parts()
    before = [(kind, name, getattr(kind, name)) for _, kind, name in parts]
    for layer, kind, name in parts:
        setattr(kind, name, clock.watched(layer, getattr(kind, name)))
    try:
        yield
    finally:
        for kind, name, method in before:
            setattr(kind, name, method)


def _seconds(wsgi: Wsgi, post: Post, requests: int) -> float:
    """How long so many requests take, one after the other.

    Raises:
        BenchmarkError: one is not answered with 200.
    """
    environ = _environ(post)
    statuses: set[str] = set()

    def start_response(status: str, _headers: object, _error: object = None) -> None:
        statuses.add(status)

    start = time.perf_counter()
    for _ in range(requests):
        answer = wsgi(environ | {"wsgi.input": io.BytesIO(post.body)}, start_response)
        b"".join(answer)
        answer.close()
    elapsed = time.perf_counter() - start
    if statuses != {"200 OK"}:
        raise BenchmarkError(f"answers had the statuses {', '.join(sorted(statuses))}")
    return elapsed


def _environ(post: Post) -> dict[str, Any]:
    """What granian passes for a request."""
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": post.path,
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": post.headers["Content-Type"],
        "CONTENT_LENGTH": str(len(post.body)),
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_X_API_KEY": _KEY,
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.errors": io.StringIO(),
        "wsgi.input_terminated": True,
    }


def main() -> None:
    """Measure once, and print it."""
    parser = argparse.ArgumentParser(description="microseconds of a request by layer")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("requests", type=int)
    given = parser.parse_args()
    # the app's log goes to standard output, where the result belongs
    result = os.dup(1)
    os.dup2(2, 1)
    try:
        found = run(given.bundle, given.requests)
    except BenchmarkError as error:
        raise SystemExit(str(error)) from None
    os.write(result, json.dumps(found).encode())


if __name__ == "__main__":
    main()
