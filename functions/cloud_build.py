"""Cloud Build: running a trigger, and finding what it ran for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient

SOURCE, GENERATION = "_DATA_SOURCE", "_DATA_GENERATION"
TRIGGER_NAME = "TRIGGER_NAME"
"""Cloud Build's own substitution in each build that a trigger started."""
CALL_SECONDS = 20
"""A call that fails is not repeated here: Eventarc delivers the event again."""


class CloudBuildError(Exception):
    """Cloud Build can't be asked, or refuses."""


@dataclass(frozen=True)
class BuildRequest:
    """A build on the object `source` (gs://...) of this `generation`, which exists `since` then."""

    source: str
    generation: int
    since: datetime

    @property
    def substitutions(self) -> dict[str, str]:
        """What the build gets to know: what to train on, and which version of it asked for the build."""
        return {SOURCE: self.source, GENERATION: str(self.generation)}


class Trigger:
    """One trigger, projects/P/locations/R/triggers/T, where T is its id or its name."""

    def __init__(self, name: str, client: "CloudBuildClient") -> None:
        """Take the trigger's name and a client of Cloud Build; nothing is called yet."""
        self._name = name
        _, self._project, _, self._region, _, self._id = name.split("/")
        self._client = client

    def find_build(self, request: BuildRequest) -> str | None:
        """The id of a build that this trigger started for the same request, None if there is none."""
        from google.cloud.devtools import cloudbuild_v1

        builds = cloudbuild_v1.ListBuildsRequest(
            parent=f"projects/{self._project}/locations/{self._region}",
            project_id=self._project,
            filter=f'create_time>="{request.since.isoformat()}"',
        )
        for build in self._client.list_builds(builds, retry=None, timeout=CALL_SECONDS):
            known = dict(build.substitutions)
            ours = self._id in (build.build_trigger_id, known.get(TRIGGER_NAME))
            if ours and request.substitutions.items() <= known.items():
                return str(build.id)
        return None

    def run(self, request: BuildRequest) -> str:
        """Start a build, and give its id; what becomes of it is not awaited."""
        from google.cloud.devtools import cloudbuild_v1

        run = cloudbuild_v1.RunBuildTriggerRequest(
            name=self._name,
            project_id=self._project,
            trigger_id=self._id,
            source=cloudbuild_v1.RepoSource(substitutions=request.substitutions),
        )
        operation = self._client.run_build_trigger(run, retry=None, timeout=CALL_SECONDS)
        return str(operation.metadata.build.id)


@contextmanager
def open_trigger(name: str) -> Iterator[Trigger]:
    """The trigger, for as long as it is used.

    Raises:
        CloudBuildError: Cloud Build refuses or is out of reach, at the start or later, or there are no credentials.
    """
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient

    try:
        with CloudBuildClient() as client:
            yield Trigger(name, client)
    except (GoogleAPIError, GoogleAuthError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CloudBuildError(
            f"{name}: {reason}; the function's service account needs roles/cloudbuild.builds.editor, "
            "and roles/iam.serviceAccountUser on the account that builds"
        ) from error
