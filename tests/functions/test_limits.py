"""Limits: whom they count, what they answer, and that guessing keys is slow and hurts nobody else."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from flask import Flask

from functions.errors import TooManyRequests
from functions.limits import MAX_BLOCKED, Limits, client_of
from functions.metrics import ServiceMetrics
from functions.settings import Settings

KEYS = ("first-key", "second-key")
HERE, THERE = "203.0.113.1", "203.0.113.2"


def ask(client, row, key=None, address=HERE, forwarded=None, path="/predict"):
    """One request from `address`, and what the proxies say of where it came from."""
    headers = {"X-API-Key": key} if key else {}
    if forwarded is not None:
        headers["X-Forwarded-For"] = forwarded
    method = "POST" if path == "/predict" else "GET"
    body = {"json": row} if method == "POST" else {}
    return client.open(path, method=method, headers=headers, environ_base={"REMOTE_ADDR": address}, **body)


def statuses(client, row, times, **how):
    return [ask(client, row, **how).status_code for _ in range(times)]


@pytest.mark.parametrize(
    ("path", "setting", "key"),
    [
        ("/predict", "rate_limit_predict", None),
        ("/predict", "rate_limit_predict", KEYS[0]),
        ("/model/info", "rate_limit_model_info", None),
        ("/model/info", "rate_limit_model_info", KEYS[0]),
        ("/health", "rate_limit_health", None),
        ("/health", "rate_limit_health", KEYS[0]),
    ],
)
def test_request_over_the_limit_is_refused_and_told_when_to_return(make_client, problem, row, path, setting, key):
    client = make_client(api_keys=KEYS if key else (), **{setting: 2})
    for remaining in ("1", "0"):
        response = ask(client, row, key, path=path)
        assert response.status_code == 200
        assert response.headers["X-RateLimit-Limit"] == "2"
        assert response.headers["X-RateLimit-Remaining"] == remaining
    response = ask(client, row, key, path=path)
    problem(response, 429)
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert response.headers["X-RateLimit-Limit"] == "2"
    assert response.headers["X-RateLimit-Remaining"] == "0"
    assert 0 <= int(response.headers["X-RateLimit-Reset"]) - time.time() <= 61


@pytest.mark.parametrize("path", ["/", "/health/live", "/health/ready", "/metrics", "/openapi.json"])
def test_other_routes_are_not_limited(make_client, row, path):
    client = make_client(rate_limit_predict=1, rate_limit_health=1, rate_limit_model_info=1)
    assert statuses(client, row, 40, path=path) == [200] * 40


def test_limits_of_routes_are_counted_apart(make_client, row):
    client = make_client(rate_limit_predict=1, rate_limit_model_info=1, rate_limit_health=1)
    assert [ask(client, row, path=path).status_code for path in ("/predict", "/model/info", "/health")] == [200] * 3


def test_each_key_has_its_own_limit_wherever_it_is_used(make_client, row):
    client = make_client(api_keys=KEYS, rate_limit_predict=2)
    assert statuses(client, row, 1, key=KEYS[0], address=HERE) == [200]
    assert statuses(client, row, 2, key=KEYS[0], address=THERE) == [200, 429]
    assert statuses(client, row, 3, key=KEYS[1], address=HERE) == [200, 200, 429]


def test_clients_without_key_have_their_own_limits(make_client, row):
    client = make_client(rate_limit_predict=1)
    assert statuses(client, row, 2, address=HERE) == [200, 429]
    assert statuses(client, row, 2, address=THERE) == [200, 429]


def test_invalid_rows_count_too(make_client, row):
    client = make_client(rate_limit_predict=2)
    assert [client.post("/predict", json={}).status_code for _ in range(3)] == [422, 422, 429]


def test_limit_is_exact_for_requests_at_once(make_app, row, log_lines):
    app = make_app(rate_limit_predict=50)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ask(app.test_client(), row).status_code, range(80)))
    assert sorted(found) == [200] * 50 + [429] * 30
    assert sorted(line["httpRequest"]["status"] for line in log_lines()) == sorted(found)


def test_two_apps_in_memory_share_no_limit(make_client, row):
    for _ in range(2):
        assert statuses(make_client(rate_limit_predict=1), row, 2) == [200, 429]


def test_vertex_ai_has_no_limit_per_client(make_client, row):
    client = make_client(vertex_ai=True, rate_limit_predict=1, rate_limit_health=1)
    assert statuses(client, row, 5) == [200] * 5
    assert statuses(client, row, 5, path="/health") == [200] * 5


def test_client_that_guesses_keys_is_stopped(make_client, problem, row):
    client = make_client(api_keys=KEYS, rate_limit_auth_failures=3)
    assert statuses(client, row, 4, key="guess") == [403, 403, 403, 429]
    response = ask(client, row, KEYS[0])
    problem(response, 429)
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert ask(client, row, path="/model/info").status_code == 429


def test_guesses_neither_use_up_a_valid_keys_limit_nor_stop_other_clients(make_client, row):
    client = make_client(api_keys=KEYS, rate_limit_auth_failures=3, rate_limit_predict=2)
    assert statuses(client, row, 9, key="guess", address=HERE).count(429) == 6
    assert statuses(client, row, 3, key=KEYS[0], address=THERE) == [200, 200, 429]


def test_failures_of_all_protected_routes_count_together(make_client, row):
    client = make_client(api_keys=KEYS, rate_limit_auth_failures=2)
    found = [ask(client, row, "guess", path=path).status_code for path in ("/predict", "/model/info", "/predict")]
    assert found == [403, 403, 429]


def test_missing_key_is_no_guess(make_client, row):
    client = make_client(api_keys=KEYS, rate_limit_auth_failures=2)
    assert statuses(client, row, 5) == [401] * 5
    assert ask(client, row, KEYS[0]).status_code == 200


def test_blocked_client_may_still_see_public_routes(make_client, row):
    client = make_client(api_keys=KEYS, rate_limit_auth_failures=1)
    assert statuses(client, row, 2, key="guess") == [403, 429]
    assert ask(client, row, path="/health").status_code == 200


def test_blocked_clients_are_remembered_up_to_a_bound():
    limits = Limits(Flask("limits"), Settings(rate_limit_auth_failures=1), ServiceMetrics())
    for number in range(MAX_BLOCKED + 1):
        limits.count_auth_failure(str(number))
    with pytest.raises(TooManyRequests):
        limits.refuse_blocked(str(MAX_BLOCKED))
    limits.refuse_blocked("0")


@pytest.mark.parametrize("guessing", [True, False], ids=["guesses", "predictions"])
@pytest.mark.parametrize(
    ("hops", "addresses"),
    [
        # Without trusted hops the peer counts, and nothing that the header says.
        (0, [(HERE, "1.1.1.1"), (HERE, "2.2.2.2"), (HERE, "3.3.3.3, 4.4.4.4")]),
        # One proxy appends the peer that it saw: the last address counts.
        (1, [("10.0.0.1", HERE), ("10.0.0.1", f"1.1.1.1, {HERE}"), ("10.0.0.2", f"2.2.2.2,3.3.3.3 , {HERE}")]),
        # Two proxies append two: the last but one counts.
        (2, [("10.0.0.1", f"{HERE}, 10.0.0.9"), ("10.0.0.1", f"1.1.1.1, {HERE}, 10.0.0.9")]),
        (2, [("10.0.0.1", f"9.9.9.9, {HERE}, 10.0.0.8"), ("10.0.0.2", f"1.1.1.1, {HERE}, 10.0.0.9")]),
        # Fewer addresses than proxies: the request came around them, so the peer counts.
        (2, [(HERE, "1.1.1.1"), (HERE, "2.2.2.2"), (HERE, None)]),
        (1, [(HERE, None), (HERE, None)]),
    ],
)
def test_forged_forwarded_for_does_not_make_another_client(make_client, row, hops, addresses, guessing):
    limit = len(addresses) - 1
    client = make_client(
        api_keys=KEYS if guessing else (),
        trusted_proxy_hops=hops,
        rate_limit_predict=limit,
        rate_limit_auth_failures=limit,
    )
    key = "guess" if guessing else None
    found = [ask(client, row, key, address, forwarded).status_code for address, forwarded in addresses]
    assert found == [403 if guessing else 200] * limit + [429]


@pytest.mark.parametrize(
    ("hops", "one", "other"),
    [(0, (HERE, None), (THERE, None)), (1, ("10.0.0.1", HERE), ("10.0.0.1", THERE)), (2, ("p", "a, p"), ("p", "b, p"))],
)
def test_clients_behind_proxies_are_told_apart(make_client, row, hops, one, other):
    client = make_client(trusted_proxy_hops=hops, rate_limit_predict=1)
    assert [ask(client, row, None, *who).status_code for who in (one, other, one, other)] == [200, 200, 429, 429]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.1", "::ffff:203.0.113.2", False),
        ("::ffff:203.0.113.1", "203.0.113.1", True),
        ("203.0.113.1", "203.0.113.2", False),
        ("not:an:address", "another:one", False),
    ],
)
def test_ipv6_network_counts_as_one_client(make_client, row, one, other, same):
    assert (client_of(one) == client_of(other)) is same
    client = make_client(rate_limit_predict=1)
    assert [ask(client, row, address=address).status_code for address in (one, other)] == [200, 429 if same else 200]


@pytest.mark.parametrize("address", [None, ""])
def test_client_without_address_is_counted_all_the_same(address):
    assert client_of(address) == "unknown"


@pytest.fixture
def shared_storage(redis_port):
    """An empty Redis that several apps count in."""
    with redis.Redis(port=redis_port) as store:
        store.flushall()
        yield f"redis://127.0.0.1:{redis_port}"


def test_two_apps_share_one_limit_in_redis(make_client, row, shared_storage):
    one, other = (make_client(ratelimit_storage_uri=shared_storage, rate_limit_predict=3) for _ in range(2))
    assert [ask(client, row).status_code for client in (one, other, one, other, one)] == [200, 200, 200, 429, 429]
    assert 1 <= int(ask(one, row).headers["Retry-After"]) <= 60


def test_guesses_at_two_apps_count_together_in_redis(make_client, row, shared_storage):
    one, other = (
        make_client(api_keys=KEYS, ratelimit_storage_uri=shared_storage, rate_limit_auth_failures=3) for _ in range(2)
    )
    assert statuses(one, row, 3, key="guess") == [403] * 3
    # the other instance learns it with the next guess
    assert statuses(other, row, 2, key="guess") == [403, 429]


def test_keys_are_not_readable_in_redis(make_client, row, shared_storage, redis_port):
    client = make_client(api_keys=KEYS, ratelimit_storage_uri=shared_storage)
    assert statuses(client, row, 1, key=KEYS[0]) == [200]
    assert statuses(client, row, 1, key="guess") == [403]
    with redis.Redis(port=redis_port) as store:
        stored = b" ".join(store.keys())
    assert stored
    assert not any(key.encode() in stored for key in (*KEYS, "guess"))


def test_limit_and_block_end_with_their_window(make_client, row, shared_storage, redis_port):
    client = make_client(
        api_keys=KEYS, ratelimit_storage_uri=shared_storage, rate_limit_predict=1, rate_limit_auth_failures=2
    )
    assert statuses(client, row, 2, key=KEYS[0]) == [200, 429]
    assert statuses(client, row, 1, key="guess") == [403]
    with redis.Redis(port=redis_port) as store:
        for name in store.keys():  # noqa: SIM118 -- a Redis, no dict
            store.pexpire(name, 1000)
    assert statuses(client, row, 2, key="guess") == [403, 429]
    time.sleep(2.1)
    assert statuses(client, row, 2, key=KEYS[0]) == [200, 429]
