"""Cloud Build: running a trigger, and finding what it ran for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

SOURCE, GENERATION = "_DATA_SOURCE", "_DATA_GENERATION"
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
    """One trigger, projects/P/locations/R/triggers/ID."""

    def __init__(self, name: str) -> None:
        """Open a client of Cloud Build; the network is not touched yet.

        Raises:
            CloudBuildError: there are no credentials.
        """
        from google.cloud.devtools import cloudbuild_v1

        self._name = name
        _, self._project, _, self._region, _, self._id = name.split("/")
        with _errors(name):
            self._client = cloudbuild_v1.CloudBuildClient()

    def find_build(self, request: BuildRequest) -> str | None:
        """The id of a build that this trigger started for the same request, None if there is none.

        Raises:
            CloudBuildError: Cloud Build refuses or is out of reach.
        """
        from google.cloud.devtools import cloudbuild_v1

        builds = cloudbuild_v1.ListBuildsRequest(
            parent=f"projects/{self._project}/locations/{self._region}",
            project_id=self._project,
            filter=f'create_time>="{request.since.isoformat()}"',
        )
        with _errors(self._name):
            for build in self._client.list_builds(builds, retry=None, timeout=CALL_SECONDS):
                same = request.substitutions.items() <= dict(build.substitutions).items()
                if build.build_trigger_id == self._id and same:
                    return str(build.id)
        return None

    def run(self, request: BuildRequest) -> str:
        """Start a build, and give its id; what becomes of it is not awaited.

        Raises:
            CloudBuildError: Cloud Build refuses or is out of reach.
        """
        from google.cloud.devtools import cloudbuild_v1

        run = cloudbuild_v1.RunBuildTriggerRequest(
            name=self._name,
            project_id=self._project,
            trigger_id=self._id,
            source=cloudbuild_v1.RepoSource(substitutions=request.substitutions),
        )
        with _errors(self._name):
            operation = self._client.run_build_trigger(run, retry=None, timeout=CALL_SECONDS)
        return str(operation.metadata.build.id)


@contextmanager
def _errors(trigger: str) -> Iterator[None]:
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except (GoogleAPIError, GoogleAuthError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CloudBuildError(
            f"{trigger}: {reason}; the function's service account needs roles/cloudbuild.builds.editor, "
            "and roles/iam.serviceAccountUser on the account that builds"
        ) from error
