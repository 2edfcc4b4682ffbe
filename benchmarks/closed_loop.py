"""Load in a closed loop, with wrk: each connection sends its next request when it has its answer."""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.errors import BenchmarkError
from benchmarks.processes import on_core, run_to_end
from benchmarks.requests import Post

TIMEOUT_SECONDS = 30

_SCRIPT = """\
local file = assert(io.open({body}, "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
{headers}
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('RESULT {{"requests": %d, "microseconds": %d, "failed": %d, "p50": %d, "p99": %d}}\\n',
    summary.requests, summary.duration, failed, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class ClosedLoop:
    """What a closed loop measured."""

    requests: int
    rate: float
    """Requests a second."""
    p50_ms: float
    p99_ms: float


def drive(port: int, post: Post, *, connections: int, seconds: int, core: int) -> ClosedLoop:
    """Send `post` over `connections` connections for so many seconds, from `core`.

    Raises:
        BenchmarkError: a request failed or was answered with an error.
    """
    with TemporaryDirectory(prefix="benchmark-") as folder:
        body, script = Path(folder, "body"), Path(folder, "script.lua")
        body.write_bytes(post.body)
        script.write_text(_script(body, post), encoding="utf-8")
        output = run_to_end(command(port, post.path, script, connections, seconds, core), seconds=seconds + 60)
    return parse(output, post.path)


def command(port: int, path: str, script: Path, connections: int, seconds: int, core: int) -> list[str]:
    """The command of wrk, with one thread: it has one core."""
    options = ["-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", f"{TIMEOUT_SECONDS}s"]
    return on_core(core, "wrk", *options, "-s", str(script), f"http://127.0.0.1:{port}{path}")


def parse(output: str, path: str) -> ClosedLoop:
    """What wrk measured, out of what it printed.

    Raises:
        BenchmarkError: it printed no result, or a request failed.
    """
    line = next((line for line in output.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise BenchmarkError(f"wrk printed no result for {path}:\n{output}")
    result = json.loads(line.removeprefix("RESULT "))
    if result["failed"] or not result["requests"]:
        raise BenchmarkError(f"{path}: {result['failed']} of {result['requests']} requests failed")
    return ClosedLoop(
        requests=result["requests"],
        rate=result["requests"] / result["microseconds"] * 1e6,
        p50_ms=result["p50"] / 1e3,
        p99_ms=result["p99"] / 1e3,
    )


def _script(body: Path, post: Post) -> str:
    # a JSON string of plain characters is a Lua string as well
    headers = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in post.headers.items()]
    return _SCRIPT.format(body=json.dumps(str(body)), headers="\n".join(headers))
