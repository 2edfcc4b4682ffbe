"""Targets of functions-framework."""

import functools
import logging
import os
import threading
from http import HTTPStatus

import functions_framework
from cloudevents.http import CloudEvent
from flask import Flask, Request, Response, abort

from functions import logs
from functions.settings import FailoverSettings, RetrainSettings

_starting = threading.Lock()


@functions_framework.http
def predict(request: Request) -> Response:
    """The service, all routes of it, as one HTTP function."""
    try:
        # several first requests at once would make an app each, and all but one would count for themselves
        with _starting:
            app = _app()
    except SystemExit as error:  # it would take the server's worker along
        _say_once(str(error))
        abort(HTTPStatus.INTERNAL_SERVER_ERROR)
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
        SystemExit: the environment can't be used; the message lists every fault.
    """
    from functions.app import from_environment

    return from_environment()


@functools.cache
def _say_once(reason: str) -> None:
    logs.configure("INFO")
    logging.getLogger(__name__).critical("the service can't start", extra={"reason": reason})
