"""The limits of one process count in fixed windows."""

import threading

import pytest

from functions.window_storage import WindowStorage


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def storage(clock):
    return WindowStorage(clock=clock)


def test_window_starts_with_its_first_count_and_ends(storage, clock):
    assert [storage.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    assert (storage.get("a"), storage.get_expiry("a")) == (3, 1060.0)
    clock.now += 59.9
    assert storage.incr("a", 60) == 4
    clock.now += 0.1
    assert storage.get("a") == 0
    assert storage.incr("a", 60, amount=2) == 2
    assert storage.get_expiry("a") == 1120.0


def test_keys_count_apart_and_can_be_cleared(storage):
    storage.incr("a", 60)
    storage.incr("b", 60)
    storage.clear("a")
    assert (storage.get("a"), storage.get("b")) == (0, 1)
    assert storage.check()
    assert storage.reset() == 1
    assert storage.get("b") == 0


def test_key_without_window_ends_now(storage, clock):
    assert storage.get_expiry("never") == clock.now


def test_windows_that_are_over_are_forgotten(storage, clock):
    for number in range(1000):
        storage.incr(f"client-{number}", 60)
    clock.now += 61
    storage.incr("another", 60)
    assert storage.reset() == 1


def test_threads_lose_no_count(storage):
    threads = [
        threading.Thread(target=lambda: [storage.incr("a", 60) for _ in range(2000)], daemon=True) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storage.get("a") == 16_000


def test_many_requests_start_no_thread(make_client):
    client = make_client()
    before = threading.active_count()
    for _ in range(50):
        assert client.get("/health").status_code == 200
    assert threading.active_count() == before
