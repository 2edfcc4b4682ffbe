"""What the modules around the service repeat of the rest of the repository is the same there."""

import json
import re
from pathlib import Path

import pytest
import yaml

from functions import errors

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "terraform"
BUILD = ROOT / "cloudbuild.yaml"
OF_AN_EVENT = {"_DATA_GENERATION"}  # the function retrain adds it to what it starts


def text(path: str) -> str:
    return (FOLDER / path).read_text(encoding="utf-8")


def objective(variable: str) -> float:
    variables = text("modules/monitoring/variables.tf")
    (value,) = re.findall(rf'^variable "{variable}" \{{[^}}]*?^  default +=\s*(\S+)$', variables, re.MULTILINE)
    return float(value)


def heading_anchors(path: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_triggers_tell_the_build_what_it_asks_for():
    declared = yaml.safe_load(BUILD.read_text(encoding="utf-8"))["substitutions"]
    block = re.search(r"build_substitutions = \{(.*?)\n  \}", text("locals-operations.tf"), re.DOTALL)
    told = set(re.findall(r"^ +(_[A-Z_]+) +=", block[1], re.MULTILINE))
    told |= set(re.findall(r"(_[A-Z_]+) = \"", text("modules/delivery/triggers.tf")))
    assert told <= set(declared)
    assert {name for name in set(declared) - told if not declared[name]} <= OF_AN_EVENT, "has no value of its own"


def test_objectives_are_those_of_the_alert_rules():
    policies = json.loads((ROOT / "monitoring/policies.json").read_text(encoding="utf-8"))
    expressions = {policy["name"]: policy["expr"] for policy in policies}
    objectives = {"ErrorBudgetBurn": "availability_objective", "SlowPredictions": "latency_objective"}
    for alert, variable in objectives.items():
        (budget,) = set(re.findall(r"> 14\.4 \* ([0-9.]+)", expressions[alert]))
        assert objective(variable) == pytest.approx(1 - float(budget))
    (seconds,) = set(re.findall(r'le="([0-9.]+)"', expressions["SlowPredictions"]))
    assert objective("latency_seconds") == float(seconds)


def test_alerts_of_the_platform_have_their_sections():
    (names,) = re.findall(r"for name in \[(.*?)\]", text("modules/monitoring/runbook.tf"))
    assert {name.lower() for name in re.findall(r'"(\w+)"', names)} <= heading_anchors("docs/operations.md")


def test_refused_keys_are_counted_by_the_access_logs_kinds():
    counted = set(re.findall(r'\\"([a-z-]+-key)\\"', text("modules/monitoring/logs.tf")))
    kinds = {kind.kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "kind")}
    assert counted == {"missing-key", "wrong-key"}
    assert counted <= kinds
