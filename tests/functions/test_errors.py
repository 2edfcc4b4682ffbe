"""Every error is a problem of one shape, and tells nothing that a client should not know."""

import pytest

KEY = "an-example-key-of-more-than-32-characters"
JSON = {"content_type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "request_", "status", "kind"),
    [
        ("POST", "/predict", {"data": b"{", **JSON}, 400, "malformed-json"),
        ("POST", "/predict", {"data": b"", **JSON}, 400, "malformed-json"),
        ("POST", "/predict", {"data": b'{"a": NaN}', **JSON}, 400, "malformed-json"),
        ("POST", "/predict", {"data": b'{"a": 1e999}', **JSON}, 400, "malformed-json"),
        ("GET", "/nowhere", {}, 404, "not-found"),
        ("GET", "/predict/", {}, 404, "not-found"),
        ("POST", "/nowhere", {"data": b"x" * 5000}, 404, "not-found"),
        ("GET", "/docs/assets/swagger/none.js", {}, 404, "not-found"),
        ("GET", "/docs/assets/swagger/..%2f..%2f__init__.py", {}, 404, "not-found"),
        ("GET", "/docs/assets/redoc/../../../../../etc/passwd", {}, 404, "not-found"),
        ("GET", "/predict", {}, 405, "method-not-allowed"),
        ("DELETE", "/model/info", {}, 405, "method-not-allowed"),
        ("BREW", "/health", {}, 405, "method-not-allowed"),
        ("POST", "/predict", {"data": b"[" + b" " * 5000, **JSON}, 413, "request-entity-too-large"),
        ("POST", "/predict", {"data": b"{}"}, 415, "not-json"),
        ("POST", "/predict", {"data": b"{}", "content_type": "text/plain"}, 415, "not-json"),
        ("POST", "/predict", {"data": {"a": "1"}}, 415, "not-json"),
        ("POST", "/predict", {"json": {}}, 422, "invalid-instances"),
    ],
)
def test_error_is_a_problem(make_client, problem, method, path, request_, status, kind):
    client = make_client(max_request_bytes=4096)
    body = problem(client.open(path, method=method, **request_), status)
    assert body["type"] == f"urn:mlops-core:problem:{kind}"
    assert body["title"]
    assert body["detail"]


def test_405_says_what_is_allowed(client):
    assert set(client.get("/predict").headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_422_lists_fields_with_the_row(client, problem, row):
    name = next(iter(row))
    body = problem(client.post("/predict", json={"instances": [row, {**row, name: "x"}, {**row, name: 10**6}]}), 422)
    assert [fault["field"] for fault in body["errors"]] == [f"instances[1].{name}", f"instances[2].{name}"]
    assert all(fault["message"] for fault in body["errors"])


def test_errors_stand_in_no_other_problem(client, problem):
    assert "errors" not in problem(client.get("/nowhere"), 404)


def test_unexpected_failure_is_a_problem_and_its_cause_is_logged(make_app, problem, caplog):
    app = make_app()

    @app.get("/fails")
    def fails():
        raise RuntimeError("the secret cause")

    response = app.test_client().get("/fails", headers={"X-Request-ID": "the-one"})
    body = problem(response, 500)
    assert body["type"].endswith(":internal-error")
    assert "secret cause" not in response.text
    (record,) = [record for record in caplog.records if record.message == "request failed"]
    assert record.request_id == "the-one"
    assert "the secret cause" in str(record.exc_info[1])
    metrics = app.test_client().get("/metrics").text
    assert 'flask_http_request_exceptions_total{method="GET",status="500"} 1.0' in metrics
    assert 'api_errors_total{endpoint="/fails",error_type="internal-error"} 1.0' in metrics


def test_key_stands_in_no_error(make_client, problem, row):
    client = make_client(api_keys=(KEY,), rate_limit_predict=2)
    headers = {"X-API-Key": KEY, "X-Request-ID": KEY}
    for how, status in (({"json": {}}, 422), ({"data": b"{", **JSON}, 400), ({"json": row}, 429)):
        response = client.post("/predict", headers={"X-API-Key": KEY}, **how)
        problem(response, status)
    assert client.post("/predict", headers=headers | {"X-API-Key": KEY[:-1]}, json=row).status_code == 403


@pytest.mark.parametrize("given", ["a", "0af7651916cd43dd8448eb211c80319c", "req-1.2:3_4", "x" * 128])
def test_sane_request_id_is_taken(client, given):
    assert client.get("/", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 129, "two words", "<script>", "é", 'a"b', "a,b", "a/b"])
def test_insane_request_id_is_replaced_by_one_of_our_own(client, given):
    headers = {} if given is None else {"X-Request-ID": given}
    first, second = (client.get("/nowhere", headers=headers) for _ in range(2))
    ids = {first.headers["X-Request-ID"], second.headers["X-Request-ID"]}
    assert len(ids) == 2
    assert given not in ids
    assert all(len(made) == 32 and set(made) <= set("0123456789abcdef") for made in ids)


SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/health"), ("GET", "/metrics"), ("POST", "/predict"), ("GET", "/nowhere"), ("PUT", "/")],
)
def test_every_response_has_the_security_headers(client, method, path):
    headers = client.open(path, method=method).headers
    assert SECURITY_HEADERS.items() <= dict(headers).items()
    assert "X-Request-ID" in headers


@pytest.mark.parametrize(("environment", "expected"), [("production", True), ("development", False)])
def test_transport_security_is_asked_for_in_production_only(make_client, environment, expected):
    headers = make_client(environment=environment).get("/").headers
    assert ("Strict-Transport-Security" in headers) is expected


ORIGIN = "https://app.example.com"


def test_page_of_an_allowed_origin_may_read_the_answer(make_client):
    headers = make_client(cors_origins=(ORIGIN,)).get("/", headers={"Origin": ORIGIN}).headers
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in headers["Vary"]
    exposed = headers["Access-Control-Expose-Headers"]
    assert all(name in exposed for name in ("X-Request-ID", "X-Model-Version", "Retry-After"))
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize("origin", ["https://evil.example", f"{ORIGIN}.evil.example", "http://app.example.com", "null"])
def test_page_of_another_origin_may_not(make_client, origin):
    response = make_client(cors_origins=(ORIGIN,)).get("/", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Origin" in response.headers["Vary"]


def test_any_page_may_in_development(make_client):
    headers = make_client(cors_origins=("*",)).get("/", headers={"Origin": "https://x.example"}).headers
    assert headers["Access-Control-Allow-Origin"] == "*"


def test_answer_without_origin_has_no_cors_headers(client):
    assert not [name for name, _ in client.get("/").headers if name.startswith("Access-Control")]


def test_error_is_readable_for_an_allowed_page_too(make_client):
    client = make_client(api_keys=(KEY,), cors_origins=(ORIGIN,))
    response = client.post("/predict", headers={"Origin": ORIGIN})
    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_preflight_is_answered_without_key_and_limit(make_client):
    client = make_client(api_keys=(KEY,), cors_origins=(ORIGIN,), rate_limit_predict=1, rate_limit_auth_failures=1)
    for _ in range(3):
        response = client.options(
            "/predict",
            headers={
                "Origin": ORIGIN,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,x-api-key",
            },
        )
        assert response.status_code == 200
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        allowed = response.headers["Access-Control-Allow-Headers"].lower()
        assert "x-api-key" in allowed
        assert "content-type" in allowed
