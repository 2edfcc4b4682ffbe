"""GET /docs (Swagger UI), /redoc (ReDoc) and /openapi.json; the pages' assets come from packages, not from a CDN."""

from importlib.util import find_spec
from pathlib import Path

import msgspec
from flask import Blueprint, send_from_directory
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from functions import openapi
from functions.request import JSON
from functions.response import ServingResponse
from functions.service import Service

SWAGGER, REDOC, OPENAPI = "/docs", "/redoc", "/openapi.json"
_ASSETS = "/docs/assets"
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; worker-src blob:; base-uri 'none'; frame-ancestors 'none'"
)
_ASSET_SECONDS = 86400

_SWAGGER_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{openapi.TITLE}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{_ASSETS}/swagger/css/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{_ASSETS}/swagger/js/swagger-ui-bundle.js"></script>
<script src="{_ASSETS}/swagger.js"></script>
</body>
</html>
"""
_SWAGGER_SCRIPT = f"""SwaggerUIBundle({{url: "{OPENAPI}", dom_id: "#swagger-ui", deepLinking: true}});
"""
_REDOC_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{openapi.TITLE}</title>
<link rel="icon" href="data:,">
</head>
<body>
<div id="redoc"></div>
<script src="{_ASSETS}/redoc/js/redoc.standalone.js"></script>
<script src="{_ASSETS}/redoc.js"></script>
</body>
</html>
"""
_REDOC_SCRIPT = f"""Redoc.init("{OPENAPI}", {{hideLoading: true}}, document.getElementById("redoc"));
"""


def blueprint(service: Service) -> Blueprint:
    """The document, the two pages that show it, and their assets."""
    routes = Blueprint("documentation", __name__)

    @routes.get(OPENAPI)
    def document() -> ServingResponse:
        content = openapi.document(service.model, authenticated=service.settings.authenticated)
        return ServingResponse(msgspec.json.encode(content), content_type=JSON)

    @routes.get(SWAGGER)
    def swagger() -> ServingResponse:
        return _page(_SWAGGER_PAGE)

    @routes.get(REDOC)
    def redoc() -> ServingResponse:
        return _page(_REDOC_PAGE)

    @routes.get(f"{_ASSETS}/swagger.js")
    def swagger_script() -> ServingResponse:
        return _script(_SWAGGER_SCRIPT)

    @routes.get(f"{_ASSETS}/redoc.js")
    def redoc_script() -> ServingResponse:
        return _script(_REDOC_SCRIPT)

    @routes.get(f"{_ASSETS}/swagger/<path:name>")
    def swagger_asset(name: str) -> ResponseReturnValue:
        return _asset("flask_openapi3_swagger", "swagger", name)

    @routes.get(f"{_ASSETS}/redoc/<path:name>")
    def redoc_asset(name: str) -> ResponseReturnValue:
        return _asset("flask_openapi3_redoc", "redoc", name)

    return routes


def _asset(package: str, folder: str, name: str) -> ResponseReturnValue:
    """A file of the package, found without importing it: its code would load a framework for nothing."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise NotFound
    root = Path(spec.submodule_search_locations[0], "templates", folder)
    return send_from_directory(root, name, max_age=_ASSET_SECONDS)


def _page(html: str) -> ServingResponse:
    response = ServingResponse(html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
    return response


def _script(text: str) -> ServingResponse:
    return ServingResponse(text, content_type="text/javascript; charset=utf-8")
