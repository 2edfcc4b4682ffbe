"""Step scan: look for known vulnerabilities in the pushed image.

python3 -m pipeline.ci.scan
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pipeline.ci import shell
from pipeline.ci.build import IMAGE, Build, read_build
from pipeline.ci.shell import Run
from pipeline.errors import DeliveryError

ALLOWED = Path("pipeline/ci/allowed-vulnerabilities.toml")
SEVERITIES = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")


@dataclass(frozen=True)
class Finding:
    """One vulnerability of one package."""

    id: str
    severity: str
    package: str


def scan(run: Run, build: Build, image: str, allowed: Mapping[str, date], today: date) -> str:
    """Scan `image` and judge what is found.

    Raises:
        DeliveryError: something is as severe as `_SCAN_SEVERITY`, and not allowed today.
    """
    words = ("gcloud", "artifacts", "docker", "images")
    location = scan_location(build.region)
    where = f"--location={location}"
    name = run(*words, "scan", image, "--remote", where, "--format=value(response.scan)").strip()
    listed = run(*words, "list-vulnerabilities", name, where, "--format=json")
    findings = parse_findings(json.loads(listed or "[]"))
    bad = refused(findings, build.scan_severity, allowed, today)
    if bad:
        lines = "\n".join(f"  {finding.severity} {finding.id} in {finding.package}" for finding in bad)
        raise DeliveryError(
            f"{image} has {len(bad)} vulnerabilities of severity {build.scan_severity} or more:\n{lines}\n"
            f"update the packages or the base image, or allow one until a date in {ALLOWED}"
        )
    return f"{len(findings)} findings, none of severity {build.scan_severity} or more that is not allowed"


def scan_location(region: str) -> str:
    """The continent that scans an image of this region: europe, asia or us."""
    continent = region.split("-")[0]
    return continent if continent in ("europe", "asia") else "us"


def parse_findings(occurrences: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """What `list-vulnerabilities --format=json` prints."""
    return [
        Finding(
            id=found["noteName"].rpartition("/")[2],
            severity=found["vulnerability"].get("effectiveSeverity") or found["vulnerability"]["severity"],
            package=", ".join(
                sorted({issue["affectedPackage"] for issue in found["vulnerability"].get("packageIssue", [])})
            ),
        )
        for found in occurrences
    ]


def refused(findings: Iterable[Finding], severity: str, allowed: Mapping[str, date], today: date) -> list[Finding]:
    """The findings of `severity` or more that are not allowed on that day.

    Raises:
        DeliveryError: there is no such severity.
    """
    if severity not in SEVERITIES:
        raise DeliveryError(f"_SCAN_SEVERITY={severity}: is none of {', '.join(SEVERITIES)}")
    bad = SEVERITIES[SEVERITIES.index(severity) :]
    return [found for found in findings if found.severity in bad and allowed.get(found.id, date.min) < today]


def parse_allowed(text: str) -> dict[str, date]:
    """The last day on which each vulnerability is allowed.

    Raises:
        DeliveryError: an entry lacks its id, its last day or its reason.
    """
    try:
        entries = tomllib.loads(text).get("allowed", [])
        found = {entry["id"]: entry["until"] for entry in entries if entry["reason"]}
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise DeliveryError(f"{ALLOWED}: {error}; each [[allowed]] has an id, a day (until) and a reason") from error
    if len(found) < len(entries) or not all(type(day) is date for day in found.values()):
        raise DeliveryError(f"{ALLOWED}: each [[allowed]] has an id of its own, a day (until) and a reason")
    return found


if __name__ == "__main__":
    shell.step(
        lambda: scan(
            shell.run,
            read_build(),
            IMAGE.read_text(encoding="utf-8").strip(),
            parse_allowed(ALLOWED.read_text(encoding="utf-8")),
            datetime.now(UTC).date(),
        )
    )
