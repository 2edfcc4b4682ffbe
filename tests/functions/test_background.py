"""Work that requests start: one at a time, when it is due, and never the end of a request."""

import itertools
import threading
import time

import pytest

from functions.background import LATE_SECONDS, NEVER, RETRY_SECONDS, BackgroundTask


def test_task_runs_once_however_many_start_it():
    gate, runs = threading.Event(), []

    def work():
        runs.append(1)
        gate.wait(10)
        return NEVER

    task = BackgroundTask("work", work)
    for _ in range(100):
        task.start_if_due()
        task.start()
    assert not task.wait(0)
    gate.set()
    assert task.wait(10)
    task.start_if_due()
    assert len(runs) == 1


def test_task_is_due_again_after_the_pause_that_it_gives():
    runs = []
    task = BackgroundTask("work", lambda: runs.append(time.monotonic()) or 0.2)
    deadline = time.monotonic() + 10
    while len(runs) < 3:
        assert time.monotonic() < deadline
        task.start_if_due()
    assert all(later - earlier >= 0.2 for earlier, later in itertools.pairwise(runs))


def test_task_that_is_not_due_does_not_run():
    task = BackgroundTask("work", lambda: 1 / 0, due=NEVER)
    task.start_if_due()
    assert task.wait(0)


@pytest.fixture
def late():
    """The time at which a task was due that nobody asked for long enough."""
    return time.monotonic() - LATE_SECONDS


def timed(call):
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def test_request_that_comes_late_waits_for_the_task_that_it_starts(late):
    runs = []
    task = BackgroundTask("work", lambda: time.sleep(0.2) or runs.append(1) or NEVER, due=late, patience=10)
    task.start_if_due()
    assert runs == [1]


def test_late_request_waits_a_bounded_time_and_holds_no_other(late):
    gate = threading.Event()
    task = BackgroundTask("work", lambda: gate.wait(10) and NEVER, due=late, patience=0.5)
    assert 0.5 <= timed(task.start_if_due) < 2
    assert timed(lambda: [task.start_if_due() for _ in range(1000)]) < 0.5
    gate.set()
    assert task.wait(10)


def test_of_late_requests_at_once_one_waits(late):
    gate = threading.Event()
    task = BackgroundTask("work", lambda: gate.wait(10) and NEVER, due=late, patience=5)
    threads = [threading.Thread(target=task.start_if_due) for _ in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 4
    while sum(thread.is_alive() for thread in threads) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sum(thread.is_alive() for thread in threads) == 1
    gate.set()
    for thread in threads:
        thread.join()


def test_late_request_does_not_wait_for_a_task_that_has_failed(late):
    task = BackgroundTask("work", lambda: 1 / 0, due=late, patience=30)
    assert timed(task.start_if_due) < 5


@pytest.mark.parametrize("patience", [30, 0])
def test_request_waits_neither_for_a_task_that_is_just_due_nor_without_patience(late, patience):
    gate = threading.Event()
    due = late if not patience else late + 5
    task = BackgroundTask("work", lambda: gate.wait(10) and NEVER, due=due, patience=patience)
    assert timed(task.start_if_due) < 5
    gate.set()
    assert task.wait(10)


def test_task_that_fails_is_told_and_tried_again_later(caplog):
    task = BackgroundTask("work", lambda: 1 / 0)
    task.start_if_due()
    assert task.wait(10)
    assert "work failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert 0 < task.due - time.monotonic() <= RETRY_SECONDS


def test_task_that_fails_again_and_again_is_told_once_and_tried_less_and_less(caplog):
    results = [ValueError("one"), ValueError("one"), ValueError("two"), ValueError("two"), *[KeyError("x")] * 4]
    results += [7.0, KeyError("x")]

    def work():
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    task = BackgroundTask("work", work)
    pauses = []
    while results:
        task.start()
        assert task.wait(10)
        pauses.append(task.due - time.monotonic())
    assert pauses == pytest.approx([5, 10, 20, 40, 60, 60, 60, 60, 7, 5], abs=0.5)
    assert [str(record.exc_info[1]) for record in caplog.records] == ["one", "two", "'x'", "'x'"]


def test_machine_without_threads_fails_no_request(monkeypatch, caplog):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    runs = []
    task = BackgroundTask("work", lambda: runs.append(1) or NEVER)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        task.start_if_due()
    assert "work can't start" in caplog.text
    assert task.wait(0)
    task.start()
    assert task.wait(10)
    assert runs == [1]
