"""The OpenAPI document, and the pages that show it."""

import re

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from functions.model import Model

KEY = "an-example-key-of-more-than-32-characters"


def document_of(client):
    response = client.get("/openapi.json")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    return response.json


def check(document, schema, value):
    """Validate `value` against a schema of the document, whose references point into the document."""
    Draft202012Validator(schema | {"components": document["components"]}).validate(value)


def is_valid(document, schema, value):
    return Draft202012Validator(schema | {"components": document["components"]}).is_valid(value)


@pytest.mark.parametrize("authenticated", [True, False])
@pytest.mark.parametrize("loaded", [True, False])
def test_document_is_valid_openapi(make_client, model, authenticated, loaded):
    client = make_client(model if loaded else None, api_keys=(KEY,) if authenticated else ())
    document = document_of(client)
    validate(document, cls=OpenAPIV31SpecValidator)
    if loaded:
        assert ("security" in document["paths"]["/predict"]["post"]) is authenticated


def test_documented_routes_exist(make_app):
    app = make_app()
    rules = {rule.rule: rule.methods for rule in app.url_map.iter_rules()}
    for path, operations in document_of(app.test_client())["paths"].items():
        for method in operations:
            assert method.upper() in rules[path]


def test_document_comes_from_the_models_features(client, model):
    schemas = document_of(client)["components"]["schemas"]
    assert schemas["Instance"]["required"] == model.metadata.feature_names
    for feature in model.metadata.features:
        declared = schemas["Instance"]["properties"][feature.name]
        assert (declared["minimum"], declared["maximum"]) == tuple(feature.bounds)
    assert schemas["Prediction"]["properties"]["prediction"]["enum"] == model.metadata.target_names


def test_examples_of_the_document_are_answered(client):
    document = document_of(client)
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert content["examples"]
    for example in content["examples"].values():
        check(document, content["schema"], example["value"])
        response = client.post("/predict", json=example["value"])
        assert response.status_code == 200


REQUESTS = [
    ("get", "/", {}, True, 200),
    ("get", "/health", {}, True, 200),
    ("get", "/health", {}, False, 503),
    ("get", "/health/live", {}, True, 200),
    ("get", "/health/ready", {}, True, 200),
    ("get", "/health/ready", {}, False, 503),
    ("get", "/model/info", {"headers": {"X-API-Key": KEY}}, True, 200),
    ("get", "/model/info", {}, True, 401),
    ("get", "/model/info", {"headers": {"X-API-Key": "guess"}}, True, 403),
    ("post", "/predict", {"row": True}, True, 200),
    ("post", "/predict", {"rows": True}, True, 200),
    ("post", "/predict", {"data": b"{", "content_type": "application/json"}, True, 400),
    ("post", "/predict", {"headers": {}}, True, 401),
    ("post", "/predict", {"headers": {"X-API-Key": "guess"}}, True, 403),
    ("post", "/predict", {"data": b" " * 5000, "content_type": "application/json"}, True, 413),
    ("post", "/predict", {"data": b"{}"}, True, 415),
    ("post", "/predict", {"json": {"instances": [{}]}}, True, 422),
]


@pytest.mark.parametrize(("method", "path", "how", "loaded", "status"), REQUESTS)
def test_answer_fits_its_documented_schema(make_client, model, rows, method, path, how, loaded, status):
    client = make_client(model if loaded else None, api_keys=(KEY,), max_request_bytes=4096)
    document = document_of(client)
    arguments = dict(how)
    if arguments.pop("row", False):
        arguments["json"] = rows[0]
    if arguments.pop("rows", False):
        arguments["json"] = {"instances": rows}
    if path == "/predict":
        arguments.setdefault("headers", {"X-API-Key": KEY})
    response = client.open(path, method=method.upper(), **arguments)
    assert response.status_code == status
    content = document["paths"][path][method]["responses"][str(status)]["content"]
    assert list(content) == [response.content_type]
    check(document, content[response.content_type]["schema"], response.json)


def test_429_is_documented_as_it_is_answered(make_client, row):
    client = make_client(rate_limit_predict=1)
    client.post("/predict", json=row)
    response = client.post("/predict", json=row)
    document = document_of(client)
    content = document["paths"]["/predict"]["post"]["responses"]["429"]["content"]
    assert list(content) == [response.content_type]
    check(document, content[response.content_type]["schema"], response.json)


def test_document_refuses_what_the_service_refuses(client, row):
    document = document_of(client)
    schema = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    name = next(iter(row))
    values = list(row.values())
    for body in (
        row,
        {"instances": [row, values]},
        {"instances": [row], "parameters": {}},
        {},
        {**row, "x": 1},
        {**row, name: "1"},
        {**row, name: True},
        {**row, name: None},
        {**row, name: 10**6},
        {"instances": []},
        {"instances": [values[:-1]]},
        {"instances": [[*values, 1]]},
        {"instances": row},
        {"instances": [row], "x": 1},
        {"instances": [row], "parameters": 5},
        values,
    ):
        answered = client.post("/predict", json=body).status_code == 200
        assert is_valid(document, schema, body) is answered, body


@pytest.mark.parametrize("labels", [[3, 7], [False, True], ["no", "yes"]], ids=["integer", "boolean", "text"])
def test_document_of_another_model_fits_its_answers(tmp_path, fit_bundle, two_features, make_client, labels):
    import numpy as np

    folder = fit_bundle(
        tmp_path / "bundle",
        dict(zip(["instances", 'b "x"'], two_features.values(), strict=True)),
        np.array([labels[0]] * 20 + [labels[1]] * 20),
        nullable=['b "x"'],
        bounds=(-3.4028234663852886e38, 3.4028234663852886e38),
    )
    client = make_client(Model.from_folder(folder, max_rows=10))
    document = document_of(client)
    validate(document, cls=OpenAPIV31SpecValidator)
    operation = document["paths"]["/predict"]["post"]
    request_schema = operation["requestBody"]["content"]["application/json"]["schema"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    for body in ({"instances": 1, 'b "x"': None}, {"instances": [[1, 2], {"instances": 3, 'b "x"': 4}]}):
        check(document, request_schema, body)
        check(document, schema, client.post("/predict", json=body).json)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_page_and_its_assets_come_from_the_service_alone(client, path):
    page = client.get(path)
    assert page.status_code == 200
    assert page.content_type.startswith("text/html")
    assert "http:" not in page.text
    assert "https:" not in page.text
    assert "//" not in page.text.replace("<!doctype html>", "")
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    loaded = [asset for asset in assets if not asset.startswith("data:")]
    assert loaded
    for asset in loaded:
        assert asset.startswith("/")
        kind = "text/css" if asset.endswith(".css") else "text/javascript"
        with client.get(asset) as response:
            assert response.status_code == 200, asset
            assert len(response.data) > 20
            assert response.content_type.startswith(kind), asset


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_page_may_load_from_the_service_only(client, path):
    policy = client.get(path).headers["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == "'self'"
    assert directives["connect-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert "http" not in policy
    page = client.get(path).text
    assert not re.search(r"<script(?![^>]*\bsrc=)", page), "the policy forbids inline scripts"


@pytest.mark.parametrize(
    ("page", "script"), [("/docs", "/docs/assets/swagger.js"), ("/redoc", "/docs/assets/redoc.js")]
)
def test_page_shows_the_services_document(client, page, script):
    assert script in client.get(page).text
    assert '"/openapi.json"' in client.get(script).text


def test_assets_may_be_cached_and_the_document_may_not(client):
    with client.get("/docs/assets/swagger/css/swagger-ui.css") as asset:
        assert "max-age=86400" in asset.headers["Cache-Control"]
    assert client.get("/openapi.json").headers["Cache-Control"] == "no-store"
