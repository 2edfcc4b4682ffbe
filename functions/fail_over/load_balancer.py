"""The load balancer's switch: which URL map its target proxy has.

Compute Engine is called over REST, with Google's own session: its client library is as large as all
else together that a controller needs (docs/adr/0010-vm-fallback-switch.md). Each method names its API call,
https://cloud.google.com/compute/docs/reference/rest/v1.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from functions.fail_over.decision import Backend

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession

API = "https://compute.googleapis.com/compute/v1/"
SELF_LINK = "https://www.googleapis.com/compute/v1/"
CALL_SECONDS = 10
OPERATION_SECONDS = 100


class LoadBalancerError(Exception):
    """Compute Engine refuses, or is not as the settings say."""


class LoadBalancer:
    """A target proxy with two URL maps, one for each backend that serves, and the VM's backend service.

    All are named as in the API: projects/P/global/COLLECTION/NAME.
    """

    def __init__(
        self, session: "AuthorizedSession", proxy: str, url_maps: Mapping[Backend, str], vm_backend: str
    ) -> None:
        """Take the names; nothing is called yet."""
        self._session = session
        self._proxy = proxy
        self._url_maps = dict(url_maps)
        self._vm_backend = vm_backend

    def active(self) -> Backend:
        """The backend whose URL map the proxy has (targetHttpsProxies.get, targetHttpProxies.get).

        Raises:
            LoadBalancerError: the proxy has another URL map, or can't be read.
        """
        present = self._call("GET", self._proxy).get("urlMap", "")
        for backend, url_map in self._url_maps.items():
            if present.endswith(f"/{url_map}"):
                return backend
        raise LoadBalancerError(
            f"{self._proxy}: its URL map is {present or 'none'}, neither of {', '.join(self._url_maps.values())}; "
            "correct FAILOVER_PRIMARY_URL_MAP and FAILOVER_FALLBACK_URL_MAP"
        )

    def turn_to(self, backend: Backend) -> None:
        """Give the proxy the URL map of `backend`, and wait until it has it (setUrlMap, globalOperations.wait).

        Raises:
            LoadBalancerError: it was refused, or takes longer than OPERATION_SECONDS.
        """
        target = self._proxy.replace("/global/", "/") + "/setUrlMap"
        operation = self._call("POST", target, {"urlMap": SELF_LINK + self._url_maps[backend]})
        if operation.get("status") != "DONE":
            project = self._proxy.partition("/global/")[0]
            name = f"{project}/global/operations/{operation['name']}"
            operation = self._call("POST", f"{name}/wait", seconds=OPERATION_SECONDS)
        if operation.get("status") != "DONE" or "error" in operation:
            raise LoadBalancerError(f"{target}: {operation.get('error') or 'is not done yet'}")

    def vm_is_healthy(self) -> bool:
        """Whether the load balancer's own health check finds an instance of the VM's backend healthy.

        backendServices.get, backendServices.getHealth.

        Raises:
            LoadBalancerError: the backend can't be read.
        """
        groups = [entry["group"] for entry in self._call("GET", self._vm_backend).get("backends", [])]
        reports = (self._call("POST", f"{self._vm_backend}/getHealth", {"group": group}) for group in groups)
        return any(
            instance.get("healthState") == "HEALTHY"
            for report in reports
            for instance in report.get("healthStatus", [])
        )

    def _call(
        self, method: str, path: str, body: dict[str, str] | None = None, seconds: float = CALL_SECONDS
    ) -> dict[str, Any]:
        from google.auth.exceptions import GoogleAuthError

        try:
            response = self._session.request(  # type: ignore[no-untyped-call]
                method, API + path, json=body, timeout=seconds
            )
            if not response.ok:
                raise LoadBalancerError(f"{method} {path}: {response.status_code} {_shortened(response.text)}")
            answer: dict[str, Any] = response.json()
        except (OSError, GoogleAuthError) as error:
            raise LoadBalancerError(f"{method} {path}: {_shortened(str(error))}") from error
        return answer


def open_session() -> "AuthorizedSession":
    """A session with the process's own identity.

    Raises:
        LoadBalancerError: there is none.
    """
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    except DefaultCredentialsError as error:
        raise LoadBalancerError("no credentials; run `gcloud auth application-default login`") from error
    return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]


def _shortened(text: str) -> str:
    return " ".join(text.split())[:300]
