"""Probes of both backends through the load balancer, whichever of them serves."""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from functions import __version__
from functions.api.health import READY
from functions.fail_over.decision import Backend

PROBES = 3
PAUSE_SECONDS = 15
TIMEOUT_SECONDS = 5
BACKEND_HEADER = "X-Probe-Backend"
NOT_THE_SERVICE = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
"""What the service never says on its readiness route, so that somebody in front of it does, to its clients too."""

_ROUTES = {Backend.CLOUD_RUN: "run", Backend.VM: "vm"}


def probe_backends(
    url: str, token: str, pause: Callable[[float], None] = time.sleep
) -> Mapping[Backend, tuple[bool, ...]]:
    """Probe both backends at once, three times, 15 s apart; True stands for an answered probe."""

    def probe(backend: Backend) -> bool:
        return is_answered(url + READY, f"{_ROUTES[backend]}-{token}")

    answered: list[list[bool]] = []
    with ThreadPoolExecutor(len(Backend)) as both:
        for number in range(PROBES):
            if number:
                pause(PAUSE_SECONDS)
            answered.append(list(both.map(probe, Backend)))
    return dict(zip(Backend, zip(*answered, strict=True), strict=True))


def is_answered(url: str, route: str) -> bool:
    """Whether the backend behind `route` answers: a limited request is an answer, 5xx and NOT_THE_SERVICE are none."""
    request = urllib.request.Request(  # noqa: S310 -- the settings take http and https only
        url, headers={BACKEND_HEADER: route, "User-Agent": f"mlops-core-fail-over/{__version__}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        with error:
            return error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code not in NOT_THE_SERVICE
    except (OSError, http.client.HTTPException):
        return False
