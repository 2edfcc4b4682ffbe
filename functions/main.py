"""Targets of functions-framework."""

import functools

import functions_framework
from flask import Flask, Request, Response


@functions_framework.http
def predict(request: Request) -> Response:
    """The service, all routes of it, as one HTTP function."""
    return Response.from_app(  # type: ignore[return-value]
        _app(), request.environ
    )


@functools.cache
def _app() -> Flask:
    from functions.app import from_environment

    return from_environment()
