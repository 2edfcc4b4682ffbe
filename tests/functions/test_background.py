"""Work that requests start: one at a time, when it is due, and never the end of a request."""

import itertools
import threading
import time

import pytest

from functions.background import NEVER, RETRY_SECONDS, BackgroundTask


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
