"""The commands that people know."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KNOWN = [
    *("run-prod", "health", "ci", "mlflow-experiments"),
    *("k8s-setup", "k8s-setup-kind", "k8s-deploy", "k8s-status", "k8s-logs", "k8s-port-forward"),
    *("k8s-test", "k8s-delete", "k8s-clean"),
    *("install", "train", "promote", "test", "lint", "format", "run", "build", "mlflow-ui", "clean", "help", "doctor"),
    *("dvc-init", "dvc-repro", "dvc-status", "dvc-push", "dvc-pull", "dvc-pipeline"),
    *("run-docker", "stop-docker", "test-container"),
    *("terraform-init", "terraform-plan", "terraform-apply", "terraform-destroy", "terraform-output"),
    *("terraform-validate", "terraform-fmt", "terraform-refresh"),
]


def make(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("target", KNOWN)
def test_known_target_exists(target):
    assert make("--dry-run", target).returncode == 0


def test_help_lists_every_phony_target_with_what_it_does():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = {name for names in re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE) for name in names.split()}
    listed = dict(re.findall(r"^  ([a-z0-9-]+) +(\S.*)$", make("help").stdout, re.MULTILINE))
    assert set(listed) == phony
    assert set(KNOWN) <= phony


def test_help_is_the_default():
    assert make().stdout == make("help").stdout


def test_dvc_init_without_a_project_says_what_to_do():
    result = make("dvc-init", "PROJECT_ID=")
    assert result.returncode != 0
    assert "PROJECT_ID=my-project" in result.stderr


def test_clean_names_neither_raw_data_nor_experiments():
    commands = make("--dry-run", "clean").stdout
    for kept in ("data/raw", "mlruns", "mlflow.db", "champion"):
        assert kept not in commands


def test_mlflow_ui_shows_the_store_that_training_uses():
    from pipeline.tracking import LOCAL_STORE

    assert LOCAL_STORE in make("--dry-run", "mlflow-ui").stdout
    assert f"MLFLOW_TRACKING_URI={LOCAL_STORE} " in make("--dry-run", "mlflow-experiments").stdout


@pytest.mark.slow
def test_health_asks_the_running_service(bundle_folder, free_port):
    assert make("health", f"PORT={free_port}").returncode != 0
    environment = {"PATH": os.environ["PATH"], "MODEL_DIR": str(bundle_folder), "PORT": str(free_port)}
    server = subprocess.Popen([sys.executable, "-m", "functions.server"], cwd=ROOT, env=environment)
    try:
        deadline = time.monotonic() + 30
        while (done := make("health", f"PORT={free_port}")).returncode and time.monotonic() < deadline:
            time.sleep(0.2)
    finally:
        server.terminate()
        server.wait(timeout=20)
    assert json.loads(done.stdout)["status"] == "healthy"


def test_run_prod_refuses_what_production_does():
    *_, command = make("--dry-run", "run-prod").stdout.strip().splitlines()
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "API_KEY" in done.stderr + done.stdout
    assert "CORS_ORIGINS" in done.stderr + done.stdout


def test_build_tells_the_image_its_commit_and_nobodys_password(tmp_path):
    def git(*words):
        command = ["git", "-c", "user.name=n", "-c", "user.email=e@example.com", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "First")
    git("remote", "add", "origin", "https://user:secret@example.com/owner/name.git")
    for name in ("requirements/installer.txt", "requirements/pipeline.txt", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    commands = make("--file", str(ROOT / "Makefile"), "--dry-run", "build", cwd=tmp_path).stdout
    assert f'--build-arg "REVISION={git("rev-parse", "HEAD")}"' in commands
    assert '--build-arg "SOURCE=https://example.com/owner/name.git"' in commands
    assert "secret" not in commands


def test_environment_that_is_active_elsewhere_gets_none_of_our_packages():
    show = ["make", "--no-print-directory", "--eval", "show: ; @echo $$VIRTUAL_ENV", "show"]
    environ = os.environ | {"VIRTUAL_ENV": "/some/other/environment"}
    said = subprocess.run(show, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(ROOT / ".venv")


@pytest.fixture
def submit(tmp_path):
    """What `make gcloud-submit` would run, and what it says, with a Terraform that answers so."""

    def submit(terraform, *words):
        program = tmp_path / "terraform"
        program.write_text(f"#!/bin/sh\n{terraform}\n", encoding="utf-8")
        program.chmod(0o755)
        environ = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        command = ["make", "--dry-run", "gcloud-submit", "PROJECT_ID=p", *words]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout, done.stderr

    return submit


KNOWS = "echo asked >&2; printf %s _REGION=us-east1,_SECONDARY_REGION=us-west1,_VM_GROUP=iris-api-server"


def test_submit_adds_the_users_substitutions_to_terraforms(submit):
    commands, said = submit(KNOWS, "ACTION=deploy", "SUBSTITUTIONS=_DATA_SOURCE=gs://b/d.csv,_TRAFFIC_STEPS=50 100")
    told = "_REGION=us-east1,_SECONDARY_REGION=us-west1,_VM_GROUP=iris-api-server"
    given = "_DATA_SOURCE=gs://b/d.csv,_TRAFFIC_STEPS=50 100"
    assert f'--substitutions="_ACTION=deploy,{told},{given}" .' in commands
    assert '--region="us-east1"' in commands
    assert said.strip() == "asked"


def test_submit_takes_the_users_region_before_terraforms(submit):
    assert '--region="asia-east1"' in submit(KNOWS, "REGION=asia-east1")[0]


def test_submit_says_when_terraform_knows_nothing(submit):
    commands, said = submit("echo 'Error: Backend initialization required' >&2; exit 1", "SUBSTITUTIONS=_VM_GROUP=g")
    assert '--substitutions="_ACTION=all,_VM_GROUP=g" .' in commands
    assert '--region="europe-west1"' in commands
    assert "Backend initialization required" in said
    assert "warning: Terraform does not know the project" in said
