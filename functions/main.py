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
    """The app, made at the first request: importing this module reads no environment.

    Raises:
        RuntimeError: the environment can't be used; a SystemExit would take the server's worker along.
    """
    from functions.app import from_environment

    try:
        return from_environment()
    except SystemExit as error:
        raise RuntimeError(error.code) from None
