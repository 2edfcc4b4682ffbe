"""The benchmark's own logic, and a short run of it against a really started server."""

import json
import os
import shutil
import socket
import threading
import time

import pytest

from benchmarks import __main__ as command
from benchmarks import budgets, closed_loop, constant_rate, machine, reload, report, service
from benchmarks.batch import beside_figures
from benchmarks.charts import draw_layers
from benchmarks.effort import Effort
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure, Reference, missed
from benchmarks.layer_clock import LayerClock, Overhead
from benchmarks.layers import BARE, TOTAL, layer_figures
from benchmarks.peers.__main__ import figures as peer_figures
from benchmarks.peers.catalogue import PEERS
from benchmarks.peers.environments import REQUIREMENTS, pinned_version
from benchmarks.pipeline import trivial_pipeline
from benchmarks.processes import free_port
from benchmarks.reload import Account, Answer, Move
from benchmarks.requests import Post
from benchmarks.samples import percentile
from benchmarks.table import aligned, markdown, number

PASSING = Figure(
    "g", "fast enough", "requests/s", [50, 60, 55], Reference("bare", [100, 100, 100]), budgets.at_least(0.45)
)
MISSING = Figure("g", "too slow", "ms", [3.0, 2.5, 2.4], budget=budgets.at_most(2.2))
REPORTED = Figure("h", "only told", "MB", [74.6])


def test_percentile_is_the_nearest_rank():
    samples = list(range(100, 0, -1))
    assert percentile(samples, 50) == 50
    assert percentile(samples, 99) == 99
    assert percentile(samples, 100) == 100
    assert percentile([7.0], 1) == 7.0
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 50)


def test_ratio_is_taken_round_by_round():
    figure = Figure("g", "f", "s", [1.0, 4.0, 9.0], Reference("r", [1.0, 2.0, 3.0]))
    assert figure.value == 4.0
    assert figure.ratio == 2.0


def test_budget_bounds_the_ratio_or_without_a_reference_the_value():
    assert (PASSING.judged, PASSING.verdict) == (0.55, "pass")
    assert (MISSING.judged, MISSING.verdict) == (2.5, "MISS")
    assert REPORTED.verdict == "-"
    assert missed([PASSING, MISSING, REPORTED]) == [MISSING]


def test_number_that_is_none_holds_no_budget():
    assert not budgets.at_least(1).holds(float("nan"))
    assert not budgets.at_most(1).holds(float("nan"))


@pytest.mark.parametrize("show", [aligned, markdown])
def test_table_has_a_row_for_each_figure_with_budget_and_verdict(show):
    lines = show([PASSING, MISSING, REPORTED]).splitlines()
    row = next(line for line in lines if "fast enough" in line)
    assert all(cell in row for cell in ("55.0 requests/s", "50.0 - 60.0", "bare", "0.55 x", ">= 0.45 x", "pass"))
    assert all(cell in next(line for line in lines if "too slow" in line) for cell in ("<= 2.2 ms", "MISS"))
    assert any("only told" in line for line in lines)


@pytest.mark.parametrize(("value", "text"), [(12345.6, "12,346"), (74.61, "74.6"), (0.4567, "0.46")])
def test_number_keeps_the_digits_that_say_something(value, text):
    assert number(value) == text


@pytest.mark.parametrize(("found", "code"), [([PASSING, REPORTED], 0), ([PASSING, MISSING], 1)])
def test_missed_budget_is_the_exit_code(monkeypatch, tmp_path, capsys, found, code):
    monkeypatch.setattr(command, "run", lambda *_: found)
    output = tmp_path / "new" / "latest.json"
    assert command.main(["--only", "service", "--output", str(output)]) == code
    written = json.loads(output.read_text())
    assert [figure["name"] for figure in written["figures"]] == [figure.name for figure in found]
    assert written["figures"][0]["reference_rounds"] == [100, 100, 100]
    assert {"processor", "python", "granian", "commit", "date"} <= set(written["machine"])
    assert ("MISSED: too slow: 2.5, budget <= 2.2" in capsys.readouterr().out) == bool(code)


def test_missing_tool_is_named_with_the_command_that_installs_it(monkeypatch, capsys):
    monkeypatch.setattr(machine.shutil, "which", lambda tool, **_: None if tool == "wrk" else tool)
    assert command.main(["--only", "service"]) == 2
    assert "apt-get install wrk" in capsys.readouterr().err


def test_missing_model_is_said_with_what_makes_one(tmp_path):
    with pytest.raises(BenchmarkError, match="make train"):
        service.measure(tmp_path, machine.Cores(0, 1), Effort())


def test_one_core_is_too_few():
    assert machine.pick_cores([2, 5, 3]) == machine.Cores(load=2, server=5)
    with pytest.raises(BenchmarkError, match="two cores"):
        machine.pick_cores([0])


@pytest.mark.parametrize(
    "words", [["--only", "nothing"], ["--write-docs", "--quick"], ["--write-docs", "--only", "start"]]
)
def test_wrong_use_is_refused(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(words)
    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_page_keeps_what_is_around_the_markers():
    page = "before\n<!-- x: written by the benchmark -->\nold\n<!-- x: end -->\nafter\n"
    written = report.replace_section(page, "x", "new")
    assert "old" not in written
    assert written.startswith("before\n")
    assert written.endswith("<!-- x: end -->\nafter\n")
    assert report.replace_section(written, "x", "new") == written
    with pytest.raises(BenchmarkError, match="markers"):
        report.replace_section(page, "y", "new")


def test_docs_get_machine_chart_and_tables(monkeypatch, tmp_path):
    page = tmp_path / "performance.md"
    page.write_text("<!-- x: written by the benchmark -->\n<!-- x: end -->\n")
    monkeypatch.setattr(report, "PAGE", page)
    report.write_page("x", {"python": "3.11.7"}, [PASSING, REPORTED], "layers.svg")
    written = page.read_text()
    assert all(
        part in written for part in ("python 3.11.7", "(images/layers.svg)", "### g\n", "### h\n", "| only told |")
    )


def test_chart_shows_every_layer_and_the_bare_handler(tmp_path):
    draw_layers(layer_figures([{"key": 2.0, "limit": 8.0, TOTAL: 10.0, BARE: 5.0}]), tmp_path / "new" / "layers.svg")
    drawn = (tmp_path / "new" / "layers.svg").read_text()
    assert all(f">{name}<" in drawn for name in ("key", "limit", BARE))


@pytest.mark.parametrize("name", ["benchmark", "peers"])
def test_performance_page_has_its_markers(name):
    assert "new" in report.replace_section(report.PAGE.read_text(encoding="utf-8"), name, "new")


def test_wrk_result_with_failed_requests_is_no_result():
    line = 'RESULT {"requests": 10, "microseconds": 2000000, "failed": %d, "p50": 300, "p99": 900}\n'
    assert closed_loop.parse(line % 0, "/predict") == closed_loop.ClosedLoop(10, rate=5.0, p50_ms=0.3, p99_ms=0.9)
    with pytest.raises(BenchmarkError, match="3 of 10"):
        closed_loop.parse(line % 3, "/predict")
    with pytest.raises(BenchmarkError, match="no result"):
        closed_loop.parse("unable to connect", "/predict")


def test_answer_size_needs_the_whole_head():
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n"
    assert constant_rate.answer_size(head) is None
    assert constant_rate.answer_size(head + b"\r\nhello") == len(head) + 2 + 5


def test_constant_rate_counts_the_wait_of_requests_that_a_stalled_server_delays():
    """A server that stalls once delays all that was due meanwhile; a closed loop would see one slow request."""
    stall, rate = 0.3, 100
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                for number in range(rate):
                    connection.recv(65536)
                    if number == rate // 2:
                        time.sleep(stall)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        latencies, lags = constant_rate.generate(port, b"GET / HTTP/1.1\r\n\r\n", rate=rate, seconds=1, connections=1)
        thread.join(timeout=10)
    assert len(latencies) == len(lags) == rate
    # it stalls for 30 requests' time; each of them waits for what is left of it
    assert sum(latency > stall / 3 for latency in latencies) >= 15
    assert max(latencies) >= stall


def test_layer_clock_counts_each_layer_without_what_it_calls():
    clock = LayerClock()
    inner = clock.watched("inner", lambda: time.sleep(0.02))

    def call_inner():
        time.sleep(0.01)
        inner()

    clock.watched("outer", call_inner)()
    found = clock.microseconds(1, Overhead.none())
    assert 20_000 <= found["inner"] < 40_000
    assert 10_000 <= found["outer"] < 20_000
    clock.reset()
    assert clock.microseconds(1, Overhead.none()) == {"inner": 0, "outer": 0}


def test_layers_are_summed_and_compared_with_the_whole():
    rounds = [{"key": 2.0, "limit": 8.0, TOTAL: 10.0, BARE: 5.0}]
    found = {figure.name: figure for figure in layer_figures(rounds)}
    assert found["sum of the layers"].ratio == 1.0
    assert found[TOTAL].ratio == 2.0
    assert found["limit"].value == 8.0


def test_single_rows_are_compared_with_the_time_of_a_batch():
    (figure,) = beside_figures({"lists": [20.0]}, {"lists": [200_000.0]})
    assert figure.ratio == pytest.approx(20.0 / 50.0)


def test_best_peer_has_normal_settings():
    rates = {peer.name: [200.0 if peer.normal else 5000.0] for peer in PEERS}
    rates["MLServer"] = [250.0]
    last = peer_figures([5000.0], rates, PEERS)[-1]
    assert last.reference.name == "best peer: MLServer"
    assert (last.ratio, last.verdict) == (20.0, "pass")


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_peers_are_pinned(peer):
    lines = (REQUIREMENTS / f"{peer.requirements}.txt").read_text().splitlines()
    assert lines
    assert all("==" in line for line in lines)
    package = lines[0].partition("[")[0].partition("=")[0]
    assert (package, pinned_version(peer.requirements)) == (peer.requirements, lines[0].partition("==")[2])


def test_trivial_pipeline_is_a_chain_of_as_many_stages():
    stages = trivial_pipeline(4)["stages"]
    assert len(stages) == 4
    made = [out for stage in stages.values() for out in stage["outs"]]
    assert [dep for stage in stages.values() for dep in stage["deps"]][1:] == made[:-1]


@pytest.mark.slow
def test_service_group_measures_a_started_server(bundle_folder):
    if shutil.which("wrk") is None:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing("wrk is not installed: apt-get install wrk")
    effort = Effort(
        rounds=1, warm_up_seconds=1, load_seconds=1, steady_seconds=1, predictions=1000, scikit_learn=False
    )  # fmt: skip
    found = {figure.name: figure for figure in service.measure(bundle_folder, machine.cores(), effort)}
    rate = found["/predict, one row, 16 connections: rate"]
    assert rate.value > 100
    assert rate.budget == budgets.REQUEST_RATE
    assert 0 < rate.ratio < 1.5
    assert found["/predict, steady 1,000 requests/s: p99"].value > 0
    resident = next(figure for name, figure in found.items() if name.endswith("RSS"))
    assert 30 < resident.value < 1000


def test_reload_tells_failed_and_mixed_answers_from_good_ones():
    def answer(at, version, body, status=200):
        return Answer(at=at, seconds=0.001, status=status, version=version, body=body)

    good = [answer(1, "one", b"1"), answer(2, "two", b"2"), answer(6, "two", b"2")]
    failed = [answer(3, "", b"", status=0), answer(4, "two", b"2", status=503)]
    mixed = [answer(5, "one", b"2"), answer(5, "three", b"1")]
    move = Move("promote", "two", started=1.5, done=3)
    account = Account([*reversed(good), *failed, *mixed], [move], {"one": b"1", "two": b"2"})
    assert account.failed == failed
    assert account.mixed == mixed
    assert account.first(move) is good[1]
    assert "2 failed" in reload.report(account)
    assert "2 with another answer" in reload.report(account)


def test_reload_counts_requests_that_nobody_answers():
    load = reload.Load(free_port(), Post("/predict", b"{}"), rate=200)
    with load.running():
        time.sleep(0.2)
    assert len(load.answers) > 10
    assert {answer.status for answer in load.answers} == {0}
