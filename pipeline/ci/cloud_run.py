"""The Cloud Run service: its traffic table, and new revisions."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.ci.shell import CommandFailed, Run
from pipeline.errors import DeliveryError

CANDIDATE = "candidate"
"""Tag of the revision under test; Terraform's route to it names the same."""

LOOKS, LOOK_SECONDS = 5, 3
"""How often, and how far apart, to look whether a change of the traffic that gcloud calls failed has been made."""

LOGGED, SAMPLED = 10_000, 100
"""So many entries of the log are counted one by one; of more, one in so many."""


@dataclass(frozen=True)
class Requests:
    """How many requests a revision has answered, and how many of them with a server error."""

    total: int
    errors: int


@dataclass(frozen=True)
class Table:
    """Percent of the traffic by revision, and the revision of each tag."""

    shares: dict[str, int]
    tags: dict[str, str]

    def main(self) -> str:
        """The revision with most of the traffic.

        Raises:
            DeliveryError: no revision has any.
        """
        if not self.shares:
            raise DeliveryError("no revision of the service has traffic; look at it with gcloud run services describe")
        return max(self.shares, key=lambda revision: self.shares[revision])


class Service:
    """One service in one region."""

    def __init__(self, run: Run, name: str, region: str) -> None:
        """Name the service; nothing is asked yet."""
        self._run, self.name, self.region, self._region = run, name, region, f"--region={region}"
        self._update_traffic = ("gcloud", "run", "services", "update-traffic", name, self._region)

    def describe(self) -> dict[str, Any] | None:
        """What Cloud Run knows of the service, None where there is none.

        Raises:
            CommandFailed: it can't be asked.
        """
        try:
            text = self._run("gcloud", "run", "services", "describe", self.name, self._region, "--format=json")
        except CommandFailed as error:
            if "Cannot find service" in str(error):
                return None
            raise
        found: dict[str, Any] = json.loads(text)
        return found

    def deploy(self, image: str, account: str) -> str:
        """Make a revision of `image` without traffic, tagged as the candidate, and give its name.

        It runs as the service account `account`; empty: as the service does.

        The image brings its model: a revision must not change when the pointer moves (docs/adr/0014).
        With several containers, gcloud gives the image to the one that answers requests. Tagged in a call of its
        own: `update --tag` writes the revision's name into the service's template, where it stays and keeps
        Terraform from changing anything else of it.

        Raises:
            CommandFailed: the revision does not start.
            DeliveryError: something else made a revision at the same time.
        """
        words = ["gcloud", "run", "services", "update", self.name, self._region, f"--image={image}"]
        words += [f"--service-account={account}"] if account else []
        self._run(*words, "--no-traffic", "--remove-env-vars=MODEL_URI")
        revision = str(self._described()["status"]["latestCreatedRevisionName"])
        if self.image(revision) != image:
            raise DeliveryError(f"{revision} is not of {image}: {self.name} was changed meanwhile; start again")
        self._run(*self._update_traffic, f"--update-tags={CANDIDATE}={revision}")
        return revision

    def table(self) -> Table:
        """The traffic table."""
        return parse_table(self._described())

    def candidate_url(self) -> str:
        """The address of the candidate's tag."""
        for entry in self._described()["status"]["traffic"]:
            if entry.get("tag") == CANDIDATE and "url" in entry:
                return str(entry["url"])
        raise DeliveryError(
            f"{self.name} has no address for the tag {CANDIDATE}; behind a load balancer set _SERVICE_URL and "
            "_CANDIDATE_TOKEN (terraform output build_substitutions)"
        )

    def image(self, revision: str) -> str:
        """The image of a revision's container that answers requests."""
        words = ("gcloud", "run", "revisions", "describe", revision, self._region, "--format=json")
        containers = json.loads(self._run(*words))["spec"]["containers"]
        return str(next((found for found in containers if found.get("ports")), containers[0])["image"])

    def set_traffic(self, shares: Mapping[str, int]) -> None:
        """Give each revision its percent, and all others none.

        Raises:
            CommandFailed: they do not have it.
        """
        self._update(shares)

    def restore(self, table: Table) -> None:
        """Put a traffic table back, tags included; one without traffic was nothing that served.

        Raises:
            CommandFailed: it is not as it was.
        """
        if table.shares:
            self._update(table.shares, f"--set-tags={pairs(table.tags)}" if table.tags else "--clear-tags")

    def requests(self, revision: str, since: str) -> Requests:
        """The requests that a revision has answered since a time (RFC 3339), as the request log says."""
        wanted = (
            f'resource.type="cloud_run_revision" resource.labels.service_name="{self.name}" '
            f'resource.labels.revision_name="{revision}" resource.labels.location="{self.region}" '
            f'log_id("run.googleapis.com/requests") timestamp>="{since}"'
        )
        return Requests(self._count(wanted), self._count(f"{wanted} httpRequest.status>=500"))

    def _count(self, wanted: str) -> int:
        counted = self._entries(wanted)
        return counted if counted < LOGGED else SAMPLED * self._entries(f"{wanted} sample(insertId, {1 / SAMPLED})")

    def _entries(self, wanted: str) -> int:
        found = self._run("gcloud", "logging", "read", wanted, f"--limit={LOGGED}", "--format=value(insertId)")
        return len(found.splitlines())

    def _update(self, shares: Mapping[str, int], *flags: str) -> None:
        """Set the traffic.

        While the newest revision does not start, gcloud calls each change failed, also one that was made: what
        the table says counts.
        """
        try:
            self._run(*self._update_traffic, f"--to-revisions={pairs(shares)}", *flags)
        except CommandFailed:
            for _ in range(LOOKS):
                if self.table().shares == shares:
                    return
                time.sleep(LOOK_SECONDS)
            raise

    def _described(self) -> dict[str, Any]:
        found = self.describe()
        if found is None:
            raise DeliveryError(f"there is no service {self.name} in {self.region}; terraform apply makes it")
        return found


def parse_table(service: Mapping[str, Any]) -> Table:
    """The traffic table in what `gcloud run services describe --format=json` prints."""
    shares: dict[str, int] = {}
    tags: dict[str, str] = {}
    for entry in service.get("status", {}).get("traffic", []):
        revision = entry["revisionName"]
        if entry.get("percent"):
            shares[revision] = shares.get(revision, 0) + entry["percent"]
        if entry.get("tag"):
            tags[entry["tag"]] = revision
    return Table(shares, tags)


def pairs(values: Mapping[str, object]) -> str:
    """A mapping as gcloud takes it: a=1,b=2."""
    return ",".join(f"{key}={value}" for key, value in values.items())
