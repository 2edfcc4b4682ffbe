"""The docs say what the code does."""

import json
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from functions.app import create_app
from functions.champion import Champion
from functions.errors import Problem
from functions.metrics import ServiceMetrics
from functions.settings import FailoverSettings, RetrainSettings, Settings
from functions.variables import variables_of
from tests.docs.pages import PAGES, ROOT, page, table

LIBRARIES = ("python_", "process_", "flask_exporter_")


@pytest.mark.parametrize(
    ("heading", "settings"),
    [("# Configuration", Settings), ("## Retraining", RetrainSettings), ("## Failover", FailoverSettings)],
)
def test_configuration_lists_every_setting_as_declared(heading, settings):
    _, section = page("docs/configuration.md").split(f"{heading}\n")
    expected = [[f"`{v.name}`", f"`{v.default}`" if v.default else "-", v.meaning] for v in variables_of(settings)]
    assert table(section, "variable") == expected


def test_api_page_lists_every_route():
    app = create_app(Settings(), Champion())
    rules = {f"{method} {rule.rule}" for rule in app.url_map.iter_rules() for method in rule.methods & {"GET", "POST"}}
    served = {rule for rule in rules if "/docs/assets/" not in rule}
    listed = set(re.findall(r"^\| (`(?:GET|POST) .+?`) \|", page("docs/api.md"), re.MULTILINE))
    routes = {route for cell in listed for route in re.findall(r"`((?:GET|POST) /[^`]*)`", cell)}
    assert routes == served


def test_api_page_lists_the_limits_of_the_settings():
    rows = {row[0]: row[2] for row in table(page("docs/api.md"), "route")}
    settings = Settings()
    assert rows["`GET /health`"].startswith(str(settings.rate_limit_health))
    assert rows["`POST /predict`"].startswith(str(settings.rate_limit_predict))
    assert rows["`GET /model/info`"].startswith(str(settings.rate_limit_model_info))


def test_api_page_lists_every_kind_of_problem_with_its_status():
    listed = {
        (int(status), kind)
        for statuses, kinds, _ in table(page("docs/api.md"), "status")
        for status in statuses.split(", ")
        for kind in re.findall(r"`([^`]+)`", kinds)
    }
    kinds = [kind for kind in [Problem, *Problem.__subclasses__()] if kind.__module__ == Problem.__module__]
    ours = {(int(kind.status), kind.kind) for kind in kinds}
    assert ours <= listed


def test_observability_page_lists_every_metric_of_ours_with_its_labels():
    families = [family for family in ServiceMetrics().registry.collect() if not family.name.startswith(LIBRARIES)]
    listed = {}
    for cell, kind, _ in table(page("docs/observability.md"), "metric"):
        for name, labels in re.findall(r"`(\w+)(?:\{(.+?)\})?`", cell):
            listed[name.removesuffix("_total")] = (kind, set(labels.split(",")) - {""})
    assert {name: kind for name, (kind, _) in listed.items()} == {family.name: family.type for family in families}
    client = create_app(Settings(), Champion()).test_client()
    client.get("/health")
    for line in client.get("/metrics").text.splitlines():
        name, labels = re.match(r"(\w+)(?:\{(.*)\})?", line).groups() if line[0] != "#" else (None, None)
        known = listed.get(re.sub(r"_(total|bucket|sum|count)$", "", name or ""))
        if known:
            assert set(re.findall(r'(\w+)="', labels or "")) - {"le"} == known[1], line


def test_observability_page_names_the_recorded_series_and_the_numbers_of_drift():
    text = page("docs/observability.md")
    model = page("monitoring/rules/model.yml")
    for record in re.findall(r"record: (\S+)", model):
        assert f"`{record}`" in text
    for record in re.findall(r"record: (\S+ratio_rate)", page("monitoring/rules/service.yml")):
        assert f"`{record}5m`" in text
    (floor,) = set(re.findall(r"(?:, +|^ +)(0\.\d+)\n? *\)", model, re.MULTILINE))
    least = re.findall(r">= (\d+)\)", model)
    (threshold,) = set(re.findall(r"_psi:6h > ([\d.]+)", model))
    assert f"A share below {floor} counts as {floor}" in text
    assert len(set(least)) == 1
    assert f"Below {least[0]} values there is no index" in text
    assert f"above {threshold}" in text


def test_readme_is_short():
    assert len(page("README.md").splitlines()) <= 120


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    missing = [target for target in targets if target and not (path.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_in_the_docs_exist(path):
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|\d )make (?:[A-Z_]+=\S+ )*([a-z][a-z0-9-]+)", text, re.MULTILINE))
    targets = set(re.findall(r"^([a-z0-9-]+(?: [a-z0-9-]+)*):", page("Makefile"), re.MULTILINE))
    known = {name for group in targets for name in group.split()}
    assert named - known == set()


def test_readme_figures_are_those_of_the_performance_page():
    measured = page("docs/performance.md")
    for row in table(page("README.md"), "figure"):
        for number in re.findall(r"\d[\d,.]*(?: (?:x|s|ms|MB|requests/s|rows/s)\b)", " | ".join(row[1:])):
            assert f" {number} " in measured, f"{number} of {row[0]!r} is not in docs/performance.md: see make bench"


def readme_block(language: str, starts_with: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", page("README.md"), re.DOTALL)
    return next(block for block in blocks if block.startswith(starts_with))


@pytest.mark.slow
def test_readme_first_prediction_is_answered_as_it_says(bundle_folder):
    command = shlex.split(readme_block("sh", "curl").replace("\\\n", " "))
    expected = json.loads(readme_block("json", '{"prediction"'))
    url = next(word for word in command if word.startswith("http://"))
    default = str(Settings().port)
    assert f":{default}/" in url
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"PATH": "/usr/bin:/bin", "MODEL_DIR": str(bundle_folder), "PORT": str(port)}
    server = subprocess.Popen([sys.executable, "-m", "functions.server"], cwd=ROOT, env=environment)
    try:
        wait_until_ready(port)
        words = [word.replace(f":{default}/", f":{port}/") for word in command]
        answer = subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout
    finally:
        server.terminate()
        server.wait(timeout=20)
    given = json.loads(answer)
    assert given["prediction"] == expected["prediction"]
    assert given["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)


def wait_until_ready(port: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
