"""What the steps decide, apart from what they call."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ci import candidate, scan, shift_traffic
from pipeline.ci.build import last_key, parse_steps, read_build
from pipeline.ci.candidate import Answer, Bundle
from pipeline.ci.cloud_run import Requests, Table, parse_table
from pipeline.ci.data_source import set_source
from pipeline.ci.scan import Finding
from pipeline.errors import DeliveryError, InvalidParams

TODAY = date(2026, 11, 23)


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(1, 100), min_size=1, max_size=5), st.integers(1, 100))
def test_shares_add_up_and_give_the_candidate_its_percent(before, percent):
    table = shift_traffic.shares(before, "candidate", percent)
    assert sum(table.values()) == 100
    assert table["candidate"] == percent
    assert all(share > 0 for share in table.values())
    assert set(table) <= set(before) | {"candidate"}


def test_shares_keep_the_others_proportion():
    assert shift_traffic.shares({"a": 75, "b": 25}, "c", 60) == {"a": 30, "b": 10, "c": 60}
    assert shift_traffic.shares({"a": 100}, "c", 100) == {"c": 100}
    assert shift_traffic.shares({"c": 100}, "c", 10) == {"c": 100}


def test_errors_up_to_the_bound_pass():
    shift_traffic.check(Requests(100, 1), 10, 0.01)
    shift_traffic.check(Requests(0, 0), 10, 0.0)


def test_more_errors_than_the_bound_fail():
    with pytest.raises(DeliveryError, match="2 of 100 requests"):
        shift_traffic.check(Requests(100, 2), 50, 0.01)


@pytest.mark.parametrize("text", ["", "10 50", "50 10 100", "0 100", "10 10 100", "50 101"])
def test_steps_that_do_not_lead_to_all_traffic_are_refused(text):
    with pytest.raises(DeliveryError, match="_TRAFFIC_STEPS"):
        parse_steps(text)
    assert parse_steps("10 50 100") == (10, 50, 100)


def test_last_key_of_a_secret_is_the_builds():
    assert last_key("for-users\n for-the-build \n\n") == "for-the-build"
    assert last_key("") == ""


def test_build_names_what_it_was_not_told():
    with pytest.raises(DeliveryError, match="_REGION is not set"):
        read_build({"BUILD_ID": "b", "BUILD_LOCATION": "global"})


def test_table_is_read_from_what_serves_now():
    described = {
        "spec": {"traffic": [{"latestRevision": True, "percent": 100}]},
        "status": {
            "traffic": [
                {"revisionName": "s-2", "latestRevision": True, "percent": 90},
                {"revisionName": "s-1", "percent": 10, "tag": "old", "url": "https://old---s.a.run.app"},
                {"revisionName": "s-3", "tag": "candidate", "url": "https://candidate---s.a.run.app"},
            ]
        },
    }
    table = parse_table(described)
    assert table == Table({"s-2": 90, "s-1": 10}, {"old": "s-1", "candidate": "s-3"})
    assert table.main() == "s-2"


def finding(severity="CRITICAL", name="CVE-2026-1"):
    return Finding(name, severity, "libfoo")


def test_findings_of_the_severity_or_above_are_refused():
    findings = [finding("HIGH", "CVE-1"), finding("CRITICAL", "CVE-2"), finding("MEDIUM", "CVE-3")]
    assert [found.id for found in scan.refused(findings, "CRITICAL", {}, TODAY)] == ["CVE-2"]
    assert [found.id for found in scan.refused(findings, "HIGH", {}, TODAY)] == ["CVE-1", "CVE-2"]
    with pytest.raises(DeliveryError, match="_SCAN_SEVERITY=BAD"):
        scan.refused(findings, "BAD", {}, TODAY)


def test_an_allowed_finding_passes_until_its_day():
    assert scan.refused([finding()], "CRITICAL", {"CVE-2026-1": TODAY}, TODAY) == []
    assert scan.refused([finding()], "CRITICAL", {"CVE-2026-1": date(2026, 11, 22)}, TODAY) == [finding()]
    assert scan.refused([finding()], "CRITICAL", {"CVE-2026-2": TODAY}, TODAY) == [finding()]


def test_allow_list_of_the_project_is_readable():
    scan.parse_allowed(scan.ALLOWED.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "entry",
    [
        'id = "CVE-1"\nuntil = 2026-12-31',
        'id = "CVE-1"\nuntil = "soon"\nreason = "r"',
        'until = 2026-12-31\nreason = "r"',
    ],
)
def test_an_entry_without_id_day_or_reason_is_refused(entry):
    with pytest.raises(DeliveryError, match="allowed-vulnerabilities"):
        scan.parse_allowed(f"[[allowed]]\n{entry}\n")
    assert scan.parse_allowed('[[allowed]]\nid = "C"\nuntil = 2026-12-31\nreason = "r"') == {"C": date(2026, 12, 31)}


def test_findings_are_read_from_gclouds_answer():
    issue = {"affectedPackage": "libfoo"}
    vulnerability = {"effectiveSeverity": "CRITICAL", "severity": "HIGH", "packageIssue": [issue, issue]}
    occurrence = {"noteName": "projects/goog-vulnz/notes/CVE-2026-1", "vulnerability": vulnerability}
    assert scan.parse_findings([occurrence]) == [finding()]


@pytest.mark.parametrize(
    ("region", "location"),
    [("europe-west1", "europe"), ("asia-east1", "asia"), ("us-central1", "us"), ("me-west1", "us")],
)
def test_an_image_is_scanned_on_its_continent(region, location):
    assert scan.scan_location(region) == location


EXAMPLE = {"instance": {"x": 1.0}, "prediction": True, "probabilities": [0.25, 0.75]}
BUNDLE = Bundle("v1", ["false", "true"], [EXAMPLE])


def answer(body, status=200, version="v1"):
    return Answer(status, {"x-model-version": version}, body.encode(), 0.01)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer('{"predictions":[{"prediction":true,"probabilities":{"false":0.250001,"true":0.749999}}]}'), None),
        (answer('{"predictions":[{"prediction":true,"probabilities":{"false":0.26,"true":0.74}}]}'), "false has 0.26"),
        (answer('{"predictions":[{"prediction":false,"probabilities":{"false":0.25,"true":0.75}}]}'), "not True"),
        (answer("{}", version="v0"), "answered by model v0, not by v1"),
        (answer("refused", status=403), "status 403: refused"),
    ],
)
def test_answers_to_golden_examples_are_compared(given, fault):
    found = candidate.predictions_fault(given, BUNDLE)
    assert found is None if fault is None else fault in found


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("0", 1), ("3600", 60), (None, 5), ("later", 5)])
def test_a_limited_build_waits_as_asked_within_bounds(header, seconds):
    assert candidate.retry_seconds({} if header is None else {"retry-after": header}) == seconds


def test_data_source_is_set_and_nothing_else(tmp_path):
    original = scan.ALLOWED.parents[2].joinpath("params.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(original, encoding="utf-8")
    source = 'gs://bucket/data/a&b|"c.csv'
    assert source in set_source(path, source)
    changed = [
        pair for pair in zip(original.splitlines(), path.read_text().splitlines(), strict=True) if len(set(pair)) > 1
    ]
    assert [before.strip() for before, _ in changed] == ["source: data/raw/iris.csv"]


def test_data_source_without_a_line_to_set_says_so(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("data: {source: a.csv}\n", encoding="utf-8")
    with pytest.raises(InvalidParams, match="has no line"):
        set_source(path, "b.csv")
