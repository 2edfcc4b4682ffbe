"""Targets of functions-framework."""

import functools
import os
import threading

import functions_framework
from cloudevents.http import CloudEvent
from flask import Flask, Request, Response

from functions import logs
from functions.settings import FailoverSettings, RetrainSettings

_starting = threading.Lock()


@functions_framework.http
def predict(request: Request) -> Response:
    """The service, all routes of it, as one HTTP function."""
    # several first requests at once would make an app each, and all but one would count for themselves
    with _starting:
        app = _app()
    return Response.from_app(app, request.environ)  # type: ignore[return-value]


@functions_framework.cloud_event
def retrain(event: CloudEvent) -> None:
    """Starts a build for a new object in Cloud Storage."""
    from functions import retraining

    logs.configure("INFO")
    retraining.answer(event, RetrainSettings.from_environ(os.environ))


@functions_framework.cloud_event
def fail_over(event: CloudEvent) -> None:
    """Makes one round of the VM fallback's controller."""
    from functions.fail_over import controller

    logs.configure("INFO")
    controller.on_tick(event, FailoverSettings.from_environ(os.environ))


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
