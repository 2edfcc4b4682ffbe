"""Keys: who is let in, and what the others are told."""

import hmac

import pytest

from functions.auth import ApiKeys

KEYS = ("first-key", "second-key", "third, key")


def as_header(key):
    """A key as WSGI hands on the UTF-8 bytes that a client sends."""
    return {"X-API-Key": key.encode().decode("latin-1")}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("method", "path"), [("POST", "/predict"), ("GET", "/model/info")])
def test_each_of_several_keys_is_accepted(make_client, row, key, method, path):
    response = make_client(api_keys=KEYS).open(path, method=method, json=row, headers=as_header(key))
    assert response.status_code == 200


@pytest.mark.parametrize("key", ["first-ke", "first-key-", "FIRST-KEY", "first-key,second-key", "schlussel", "é", "鍵"])
def test_other_key_is_forbidden(make_client, problem, row, key):
    response = make_client(api_keys=KEYS).post("/predict", json=row, headers=as_header(key))
    body = problem(response, 403)
    assert body["type"].endswith(":wrong-key")
    assert key not in response.text


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": ""}, {"Authorization": "Bearer first-key"}])
@pytest.mark.parametrize(("method", "path"), [("POST", "/predict"), ("GET", "/model/info")])
def test_missing_key_is_asked_for(make_client, problem, row, headers, method, path):
    response = make_client(api_keys=KEYS).open(path, method=method, json=row, headers=headers)
    body = problem(response, 401)
    assert body["type"].endswith(":missing-key")
    assert "X-API-Key" in body["detail"]
    assert "X-API-Key" in response.headers["WWW-Authenticate"]


def test_key_in_the_address_is_not_taken(make_client, problem, row):
    problem(make_client(api_keys=KEYS).post("/predict?api_key=first-key&X-API-Key=first-key", json=row), 401)


@pytest.mark.parametrize("path", ["/", "/health", "/health/live", "/health/ready", "/docs", "/redoc", "/openapi.json"])
def test_public_route_needs_no_key(make_client, path):
    assert make_client(api_keys=KEYS).get(path).status_code == 200


def test_key_is_checked_before_the_body_is_looked_at(make_client, problem):
    problem(make_client(api_keys=KEYS).post("/predict", data=b"{"), 401)


def test_vertex_ai_asks_for_no_key(make_client, row):
    assert make_client(api_keys=KEYS, vertex_ai=True).post("/predict", json=row).status_code == 200


def test_identified_key_is_named_without_being_shown():
    keys = ApiKeys(KEYS)
    names = [keys.identify(as_header(key)["X-API-Key"]) for key in KEYS]
    assert len(set(names)) == len(KEYS)
    assert not any(key in str(name) for key in KEYS for name in names)
    assert keys.identify("other") is None
    assert keys
    assert not ApiKeys(())


def test_every_key_is_compared_in_constant_time(monkeypatch):
    compared = []
    real = hmac.compare_digest

    def spy(a, b):
        compared.append((len(a), len(b)))
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    keys = ApiKeys(KEYS)
    for given in ("first-key", "second-key", "x"):
        compared.clear()
        keys.identify(given)
        assert len(compared) == len(KEYS)
        assert len(set(compared)) == 1
