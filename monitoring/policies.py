"""The alert rules as policies that need no recording rules: `python -m monitoring.policies`.

Where Prometheus does not run, Cloud Monitoring evaluates the same expressions as alert policies
(terraform/). Each is written once, in rules/; this writes policies.json from them.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
RULES = (FOLDER / "rules" / "service.yml", FOLDER / "rules" / "model.yml")
"""Not targets.yml: what scrapes a fixed set of targets is of no use where instances come and go."""

POLICIES = FOLDER / "policies.json"


class RuleError(Exception):
    """A rule can't be made a policy; the message names it and the reason."""


def read_rules(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """All rules of the files, in their order."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def policies(rules: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The alerts among `rules`, each with an expression that stands alone.

    Raises:
        RuleError: an expression selects from a recorded series in a way that can't be written out.
    """
    recorded: dict[str, str] = {}
    for rule in rules:
        if "record" in rule:
            recorded[rule["record"]] = expanded(rule["expr"], recorded)
    return [
        {
            "name": rule["alert"],
            "expr": expanded(rule["expr"], recorded),
            "for": rule.get("for", "0s"),
            "severity": rule["labels"]["severity"],
            "summary": rule["annotations"]["summary"],
            "runbook": rule["annotations"]["runbook"],
        }
        for rule in rules
        if "alert" in rule
    ]


def expanded(expression: str, recorded: Mapping[str, str]) -> str:
    """`expression` on one line, with the names of recorded series replaced by what they record.

    Raises:
        RuleError: a recorded series has labels or a range selected, or is recorded later than it is used.
    """

    def replaced(match: re.Match[str]) -> str:
        name, selector = match.groups()
        if name not in recorded:
            raise RuleError(f"{name} is used before it is recorded")
        if selector:
            raise RuleError(f"{name}{selector}... selects from a recorded series: select in what it records")
        return f"({recorded[name]})"

    # only recorded series have colons in their names
    return re.sub(r"(?<![\w:])([a-z]\w*:[\w:]+)(\s*[{\[])?", replaced, " ".join(expression.split()))


def main() -> None:
    """Write policies.json."""
    POLICIES.write_text(json.dumps(policies(read_rules(RULES)), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
