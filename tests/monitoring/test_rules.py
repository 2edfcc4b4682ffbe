"""The rules: their tests, the policies made of them, and the pages that they lead to."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from functions.app import create_app
from functions.champion import Champion
from functions.model import Model
from functions.settings import Settings
from monitoring.policies import POLICIES, RULES, RuleError, expanded, policies, read_rules

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "monitoring"
RULE_FILES = sorted((MONITORING / "rules").glob("*.yml"))
TEST_FILES = sorted((MONITORING / "tests").glob("*.yml"))
ALL_RULES = read_rules(RULE_FILES)
ALERTS = [rule for rule in ALL_RULES if "alert" in rule]


def names(alerts):
    return [alert["alert"] for alert in alerts]


def cases():
    """Each alert's cases: its name and whether it fires in them."""
    for path in TEST_FILES:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test.get("alert_rule_test", []):
                yield case["alertname"], bool(case["exp_alerts"])


@pytest.mark.monitoring
@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", MONITORING / "prometheus.yml"),
        ("check", "rules", *RULE_FILES),
        ("test", "rules", *TEST_FILES),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_promtool_is_content(require_program, words):
    ended = subprocess.run([require_program("promtool"), *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_must_not():
    tested = set(cases())
    assert tested == {(name, fires) for name in names(ALERTS) for fires in (True, False)}


def test_every_alert_leads_to_its_own_heading_of_the_runbook():
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert [heading for heading in headings if heading in names(ALERTS)] == [
        heading for heading in headings if re.fullmatch(r"[A-Z]\w+[A-Z]\w+", heading)
    ]
    for alert in ALERTS:
        assert alert["alert"] in headings
        assert alert["annotations"]["runbook"] == f"docs/runbook.md#{alert['alert'].lower()}"


@pytest.mark.parametrize("alert", ALERTS, ids=names(ALERTS))
def test_every_part_of_the_runbook_says_what_it_means_where_to_look_and_how_to_go_back(alert):
    text = (ROOT / "docs/runbook.md").read_text()
    part = text.split(f"\n## {alert['alert']}\n")[1].split("\n## ")[0]
    assert re.findall(r"^(\d)\. ", part, re.MULTILINE) == ["1", "2", "3"]
    assert part.strip()[0] != "1"
    assert "**Undo:**" in part


def test_alerts_say_how_severe_they_are_and_what_happens():
    assert len(set(names(ALERTS))) == len(ALERTS)
    for alert in ALERTS:
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert set(alert["annotations"]) == {"summary", "description", "runbook"}
        assert "{{" not in alert["annotations"]["summary"]


def test_rules_select_series_that_the_service_has(bundle_folder, metric_names_of):
    app = create_app(Settings(), Champion(Model.from_folder(bundle_folder, max_rows=10)))
    client = app.test_client()
    client.get("/health")
    exposed = set(re.findall(r"^(\w+)", client.get("/metrics").text, re.MULTILINE))
    recorded = {rule["record"] for rule in ALL_RULES if "record" in rule}
    for rule in ALL_RULES:
        assert metric_names_of(rule["expr"]) - exposed - recorded <= {"up"}, rule


def test_policies_are_those_of_the_rules():
    assert json.loads(POLICIES.read_text()) == policies(read_rules(RULES)), "run `make monitoring`"


def test_policies_are_all_alerts_but_those_of_fixed_targets():
    left_out = names([rule for rule in read_rules([MONITORING / "rules/targets.yml"]) if "alert" in rule])
    assert [policy["name"] for policy in json.loads(POLICIES.read_text())] == names(
        [rule for rule in read_rules(RULES) if "alert" in rule]
    )
    assert sorted(names(ALERTS)) == sorted([*left_out, *names([r for r in read_rules(RULES) if "alert" in r])])


def test_policies_stand_alone():
    recorded = [rule["record"] for rule in ALL_RULES if "record" in rule]
    for policy in json.loads(POLICIES.read_text()):
        assert set(policy) == {"name", "expr", "for", "severity", "summary", "runbook"}
        assert not [name for name in recorded if name in policy["expr"]]
        assert "\n" not in policy["expr"]


def test_expansion_writes_out_recorded_series_within_recorded_series():
    recorded = {"a:b:c": "sum(x)", "a:b:cd": "y"}
    assert expanded("a:b:c / a:b:cd\n  > 1", recorded) == "(sum(x)) / (y) > 1"


@pytest.mark.parametrize("expression", ['a:b:c{job="x"} > 1', "rate(a:b:c[5m])", "a:b:unknown > 1"])
def test_expansion_refuses_what_it_can_not_write_out(expression):
    with pytest.raises(RuleError, match="a:b:"):
        expanded(expression, {"a:b:c": "sum(x)"})
