"""cloudbuild.yaml and .gcloudignore: what they say, and that Google's own tools read it."""

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from pipeline.ci import vms

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "cloudbuild.yaml").read_text(encoding="utf-8")
BUILD = yaml.safe_load(TEXT)
STEPS = {step["id"]: step for step in BUILD["steps"]}
BUILT_IN = {"BUILD_ID", "LOCATION", "PROJECT_ID", "COMMIT_SHA", "SHORT_SHA", "TAG_NAME", "REPO_FULL_NAME"}
NOT_SENT = {".git", ".venv", "models", "mlruns", "artifacts"}


def ancestors(name):
    """All steps that have ended when this one starts."""
    found = set()
    for before in STEPS[name]["waitFor"]:
        if before != "-":
            found |= {before} | ancestors(before)
    return found


def test_header_documents_every_substitution_with_its_default():
    header = TEXT.partition("\nsteps:")[0]
    documented = dict(re.findall(r"^#   (_[A-Z_]+) {1,30}(.*)$", header, re.MULTILINE))
    assert set(documented) == set(BUILD["substitutions"])
    for name, default in BUILD["substitutions"].items():
        assert documented[name].startswith(default), name


def test_every_declared_substitution_is_used_and_every_used_one_declared():
    body = re.sub(r"^ *#.*$", "", TEXT.partition("\nsubstitutions:")[0].partition("\nsteps:")[2], flags=re.MULTILINE)
    body += "".join(BUILD["substitutions"].values())
    body += "".join(path.read_text(encoding="utf-8") for path in (ROOT / "pipeline/ci").glob("*.[ps][yh]"))
    used = {name for name in re.findall(r"\b_[A-Z][A-Z_]+\b", body) if f'"{name}"' in body or f"${name}" in body}
    assert used == set(BUILD["substitutions"]) - {"_DATA_GENERATION"}
    variables = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", body)) - {"PATH", "PWD"}
    assert variables <= BUILT_IN


def test_steps_wait_for_what_they_need_and_nothing_runs_beside_the_deployment():
    assert ancestors("train") >= {"fetch-champion", "pull-data"}
    assert "test" not in ancestors("train")
    assert ancestors("push-image") >= {"test", "build-image"}
    assert ancestors("deploy") >= {"scan", "sbom", "push-data", "test"}
    chain = ["deploy", "smoke-test", "shift-traffic", "shift-secondary", "roll-vms", "promote", "finish", "record"]
    for step, following in pairwise(chain):
        assert STEPS[following]["waitFor"] == [step]
    rolling_back = {"rollback", "name-image"}
    assert set(STEPS) == ancestors("record") | {"record"} | rolling_back


def test_every_step_says_its_action_and_its_builder_is_pinned():
    for name, step in STEPS.items():
        assert re.match(r"#!/bin/sh -eu\n\. pipeline/ci/only\.sh; only [a-z ]+\n", step["script"]), name
        assert re.search(r":\d+\.\d+", step["name"]), name


def test_scan_has_the_component_that_the_command_asks_for():
    assert "google-cloud-cli:" in STEPS["scan"]["name"]
    assert not STEPS["scan"]["name"].endswith("-slim")


@pytest.mark.parametrize("name", [name for name, step in STEPS.items() if "google-cloud-cli" in step["name"]])
def test_a_step_of_ours_is_the_process_that_gets_sigterm(name, tmp_path):
    (tmp_path / "python3").write_text("#!/bin/sh\necho $$ $*\n")
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / "pipeline").symlink_to(ROOT / "pipeline")
    interpreter, script = STEPS[name]["script"].split("\n", 1)
    (tmp_path / "script").write_text(script, encoding="utf-8")
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "_ACTION": "rollback" if name == "rollback" else "all"}
    command = [*interpreter.removeprefix("#!").split(), tmp_path / "script"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.read().split()
    assert said == [str(process.pid), "-m", f"pipeline.ci.{name.replace('-', '_')}"]


@pytest.mark.parametrize("name", ["roll-vms", "rollback"])
def test_a_step_that_rolls_has_the_time_to_roll_back(name):
    seconds = int(STEPS[name]["timeout"].removesuffix("s"))
    assert seconds >= 2 * (vms.REPLACED_SECONDS + vms.STABLE_SECONDS)


def test_no_secret_is_in_a_substitution_or_in_a_step_that_does_not_ask_the_service():
    assert {name for name, step in STEPS.items() if "secretEnv" in step} == {"smoke-test", "shift-traffic"}
    assert BUILD["availableSecrets"]["secretManager"][0]["env"] == "API_KEY"
    assert "API_KEY" not in BUILD["substitutions"]
    assert BUILD["options"]["logging"] == "CLOUD_LOGGING_ONLY"


@pytest.mark.delivery
def test_configuration_is_what_the_schema_says():
    scanner = ROOT / ".venv-scanners" / "bin" / "check-jsonschema"
    subprocess.run([scanner, "--builtin-schema", "vendor.cloudbuild", ROOT / "cloudbuild.yaml"], check=True)


@pytest.mark.parametrize(
    ("action", "said", "status"),
    [("train", "done", 0), ("rollback", "no part of _ACTION=rollback", 0), ("trian", "", 2)],
)
def test_a_step_runs_for_its_actions_only(action, said, status):
    script = ". pipeline/ci/only.sh; only all train; echo done"
    command = ["sh", "-euc", script]
    result = subprocess.run(command, cwd=ROOT, env={"_ACTION": action}, capture_output=True, text=True, check=False)
    assert (result.stdout.strip(), result.returncode) == (said, status)


def git(*words):
    result = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip("this is no Git checkout")
    return set(result.stdout.splitlines())


@pytest.mark.delivery
def test_upload_is_all_that_git_knows_and_nothing_else(require_program):
    require_program("gcloud")
    command = ["gcloud", "meta", "list-files-for-upload"]
    sent = set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines())
    known = git("ls-files", "--cached", "--others", "--exclude-standard")
    assert sent == {name for name in known if (ROOT / name).exists()}
    assert {"cloudbuild.yaml", "Makefile", "data/raw/iris.csv", "tests/conftest.py"} <= sent
    assert not {name.split("/")[0] for name in sent} & NOT_SENT
