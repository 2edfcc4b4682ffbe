"""Logs: one JSON object a line, with the fields that Cloud Logging lifts, and no key in any."""

import json
import logging
import sys
from datetime import datetime
from pathlib import Path

import pytest

from functions.app import make_champion, make_keys, prepare, start_warnings
from functions.logs import JsonFormatter, configure
from functions.settings import Settings

KEY = "an-example-key-of-more-than-32-characters"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACE_FIELD, SPAN_FIELD, SAMPLED_FIELD = (
    f"logging.googleapis.com/{name}" for name in ("trace", "spanId", "trace_sampled")
)


def test_request_has_one_line_with_the_fields_that_cloud_logging_lifts(make_client, log_lines, model, row):
    headers = {"X-Request-ID": "the-one", "User-Agent": 'agent "7"\n'.strip()}
    response = make_client().post("/predict", json=row, headers=headers, environ_base={"REMOTE_ADDR": "203.0.113.7"})
    (line,) = log_lines()
    assert line["severity"] == "INFO"
    assert line["message"] == "request"
    assert datetime.fromisoformat(line["time"]).tzinfo
    assert line["request_id"] == "the-one"
    assert line["model_version"] == model.version
    http = line["httpRequest"]
    assert http["requestMethod"] == "POST"
    assert http["requestUrl"] == "/predict"
    assert http["status"] == 200
    assert http["responseSize"] == str(len(response.data))
    assert http["userAgent"] == 'agent "7"'
    assert http["remoteIp"] == "203.0.113.7"
    assert 0 <= float(http["latency"].removesuffix("s")) < 5
    assert not [name for name in line if name.startswith("logging.googleapis.com")]


@pytest.mark.parametrize(
    ("method", "path", "severity", "error_type"),
    [
        ("GET", "/", "INFO", None),
        ("GET", "/nowhere", "WARNING", "not-found"),
        ("GET", "/predict", "WARNING", "method-not-allowed"),
        ("GET", "/health/ready", "ERROR", None),
        ("POST", "/predict", "ERROR", "no-model"),
    ],
)
def test_severity_follows_the_status(make_client, log_lines, row, method, path, severity, error_type):
    make_client(None).open(path, method=method, json=row)
    (line,) = log_lines()
    assert line["severity"] == severity
    assert line.get("error_type") == error_type


def test_unexpected_failure_is_an_error_line(make_app, log_lines):
    app = make_app()

    @app.get("/fails")
    def fails():
        raise RuntimeError

    app.test_client().get("/fails")
    (line,) = log_lines()
    assert (line["severity"], line["error_type"]) == ("ERROR", "internal-error")


@pytest.mark.parametrize(
    ("headers", "trace", "span", "sampled"),
    [
        ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, TRACE, SPAN, True),
        ({"traceparent": f"00-{TRACE}-{SPAN}-00"}, TRACE, SPAN, False),
        ({"X-Cloud-Trace-Context": f"{TRACE}/67667974448284343;o=1"}, TRACE, SPAN, True),
        ({"X-Cloud-Trace-Context": f"{TRACE}/67667974448284343;o=0"}, TRACE, SPAN, False),
        ({"X-Cloud-Trace-Context": f"{TRACE}/1"}, TRACE, "0000000000000001", False),
        ({"X-Cloud-Trace-Context": f"{TRACE}/{2**64 - 1};o=1"}, TRACE, "f" * 16, True),
        ({"X-Cloud-Trace-Context": f"{TRACE}/{'9' * 21};o=1"}, TRACE, None, False),
        ({"X-Cloud-Trace-Context": f"{TRACE}/{'9' * 5000}"}, TRACE, None, False),
        ({"X-Cloud-Trace-Context": TRACE}, TRACE, None, False),
        ({"traceparent": f"00-{TRACE}-{SPAN}-01", "X-Cloud-Trace-Context": "f" * 32}, TRACE, SPAN, True),
        ({"traceparent": "nonsense"}, None, None, None),
        ({"traceparent": "nonsense", "X-Cloud-Trace-Context": f"{TRACE}/1;o=1"}, TRACE, "0000000000000001", True),
        ({"X-Cloud-Trace-Context": "nonsense/1;o=1"}, None, None, None),
        ({"traceparent": f"00-{TRACE[:-1]}-{SPAN}-01"}, None, None, None),
    ],
)
@pytest.mark.parametrize(("project", "prefix"), [("", ""), ("my-project", "projects/my-project/traces/")])
def test_line_belongs_to_the_callers_trace(make_client, log_lines, headers, trace, span, sampled, project, prefix):
    make_client(project=project).get("/", headers=headers)
    (line,) = log_lines()
    assert line.get(TRACE_FIELD) == (None if trace is None else prefix + trace)
    assert line.get(SPAN_FIELD) == span
    assert line.get(SAMPLED_FIELD) is sampled


def test_key_stands_in_no_line_and_no_answer_but_an_id_that_the_client_made(make_client, log, row, caplog):
    caplog.set_level(logging.DEBUG)
    client = make_client(api_keys=(KEY,), rate_limit_predict=2, log_level="DEBUG")
    for given in (KEY, KEY, KEY, KEY + "x", "x" + KEY):
        client.post("/predict?key=" + given, json=row, headers={"X-API-Key": given})
    client.get("/model/info", headers={"X-API-Key": KEY})
    assert log.getvalue().count(b"\n") == 6
    assert KEY.encode() not in log.getvalue()
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("level", "statuses"),
    [
        ("DEBUG", [200, 404, 503]),
        ("INFO", [200, 404, 503]),
        ("WARNING", [404, 503]),
        ("ERROR", [503]),
        ("CRITICAL", [503]),
    ],
)
def test_level_says_which_requests_are_logged(make_client, log_lines, level, statuses):
    client = make_client(None, log_level=level)
    for path in ("/", "/nowhere", "/health/ready"):
        client.get(path)
    assert [line["httpRequest"]["status"] for line in log_lines()] == statuses


@pytest.mark.parametrize("path", ["/%22quoted%22", "/new%0Aline", "/%F0%9F%94%91", "/%FF", "/%00", "/%ED%A0%80"])
def test_strange_path_gives_one_json_line(make_client, log_lines, path):
    make_client().get(path, headers={"User-Agent": "\xff\x80 \x1b[31m"})
    (line,) = log_lines()
    assert line["httpRequest"]["status"] == 404


def record(message="said %s", args=("so",), level=logging.WARNING, exc_info=None, **extra):
    made = logging.getLogger("functions.test").makeRecord(
        "functions.test", level, "file.py", 1, message, args, exc_info, extra=extra
    )
    return json.loads(JsonFormatter().format(made))


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
def test_record_has_cloud_loggings_severity(level):
    line = record(level=logging.getLevelName(level))
    assert line["severity"] == level
    assert line["message"] == "said so"
    assert line["logger"] == "functions.test"
    assert datetime.fromisoformat(line["time"]).tzinfo


def test_extra_becomes_fields_whatever_its_type():
    line = record(model="iris", folder=Path("/srv"), number=float("nan"), nested={"a": [1]})
    assert (line["model"], line["folder"], line["number"], line["nested"]) == ("iris", "/srv", None, {"a": [1]})


def test_exception_of_a_record_is_one_field():
    try:
        int("first\nsecond")
    except ValueError:
        line = record("failed", (), exc_info=sys.exc_info())
    assert line["exception"].startswith("Traceback")
    assert "ValueError: invalid literal" in line["exception"]


@pytest.fixture
def root_logger():
    """Give the root logger back as it was."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield root
    root.handlers[:], root.level = before, level


def test_configured_process_writes_json_lines_of_its_level(root_logger, capsys):
    configure("WARNING")
    logging.getLogger("a.library").info("not this")
    logging.getLogger("a.library").warning("this\nand this")
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["message"] == "this\nand this"


def started(settings):
    champion = make_champion(settings)
    prepare(champion, make_keys(settings), settings)
    return champion.current()


def test_start_without_model_says_why_and_what_to_do(tmp_path, caplog):
    assert started(Settings(model_dir=tmp_path)) is None
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "metadata.json" in record.reason
    assert record.remedy


def test_start_with_model_says_which(bundle_folder, model, caplog):
    caplog.set_level(logging.INFO)
    assert started(Settings(model_dir=bundle_folder)).version == model.version
    assert [record.model_version for record in caplog.records] == [model.version]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["no API_KEY is set"]),
        ({"api_keys": (KEY,)}, []),
        ({"vertex_ai": True}, []),
        ({"api_keys": (KEY,), "workers": 2}, ["count per process"]),
        ({"workers": 2}, ["no API_KEY is set", "count per process"]),
        ({"api_keys": (KEY,), "workers": 2, "ratelimit_storage_uri": "redis://h"}, []),
        ({"api_keys": (KEY,), "environment": "production"}, ["count per instance"]),
        ({"api_keys": (KEY,), "environment": "production", "ratelimit_storage_uri": "redis://h"}, []),
    ],
)
def test_start_warns_of_what_an_operator_should_know(changes, expected):
    warnings = start_warnings(Settings(**changes))
    assert len(warnings) == len(expected)
    assert all(part in warning for part, warning in zip(expected, warnings, strict=True))
