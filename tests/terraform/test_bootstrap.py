"""`make bootstrap`, with programs in place of terraform and gcloud that write down how they were called.

What they stand in for needs a project; what is tested is the order of the calls, and where it stops.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/iris-api@sha256:1111"
TERRAFORM = r"""#!/usr/bin/env bash
echo "terraform $*" >>"$CALLS"
case "$*" in
*"output -raw service_url") [[ -f $DEPLOYED ]] && echo https://iris-api.run.app || { echo none >&2; exit 1; } ;;
*"output -raw artifact_registry") echo europe-west1-docker.pkg.dev/iris-test/mlops-repo ;;
*"output -raw "*) echo "the-${!#}" ;;
*" apply -var=docker_image="*) echo "key ${#TF_VAR_api_key_value}" >>"$CALLS" ;;
*" apply"*) touch "$DEPLOYED" ;;
esac
"""
GCLOUD = r"""#!/usr/bin/env bash
echo "gcloud $*" >>"$CALLS"
case "$*" in
"$REFUSES"*) exit 1 ;;
"billing projects describe"*) echo "${BILLING:-True}" ;;
"storage buckets describe"*) exit 1 ;;
"builds list"*"status=SUCCESS"*) [[ -f $BUILT ]] && echo sha256:1111 ;;
"builds submit"*) touch "$BUILT" ;;
esac
exit 0
"""


@pytest.fixture
def project(tmp_path):
    """A folder with bootstrap.sh, a user's settings and the stand-ins."""
    (tmp_path / "terraform").mkdir()
    for name in ("bootstrap.sh", "backend.tf.example"):
        shutil.copy(ROOT / "terraform" / name, tmp_path / "terraform" / name)
    (tmp_path / "terraform/terraform.tfvars").write_text('project_id = "iris-test" # mine\n', encoding="utf-8")
    for name, text in (("terraform", TERRAFORM), ("gcloud", GCLOUD)):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    return tmp_path


def bootstrap(project, *words, path=None, **environ):
    base = {
        "PATH": path or f"{project / 'bin'}:{os.environ['PATH']}",
        "CALLS": str(project / "calls"),
        "DEPLOYED": str(project / "deployed"),
        "BUILT": str(project / "built"),
        "REFUSES": "nothing",
    }
    return subprocess.run(
        [shutil.which("bash"), project / "terraform/bootstrap.sh", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=base | environ,
    )


def calls(project):
    return (project / "calls").read_text(encoding="utf-8").splitlines()


def position(lines, start):
    return next(number for number, line in enumerate(lines) if line.startswith(start))


def test_foundation_comes_before_the_build_and_the_service_after_it(project):
    result = bootstrap(project, "-auto-approve")
    assert result.returncode == 0, result.stderr
    lines = calls(project)
    order = [
        "gcloud services enable",
        "gcloud storage buckets create gs://iris-test-terraform-state",
        "terraform -chdir=terraform init",
        "terraform -chdir=terraform apply -var=docker_image= -auto-approve",
        "gcloud builds submit",
        "terraform -chdir=terraform apply -auto-approve",
    ]
    positions = [position(lines, start) for start in order]
    assert positions == sorted(positions)
    assert (project / "terraform/image.auto.tfvars").read_text(encoding="utf-8") == f'docker_image = "{IMAGE}"\n'
    assert 'bucket = "iris-test-terraform-state"' in (project / "terraform/backend.tf").read_text(encoding="utf-8")
    assert "https://iris-api.run.app" in result.stdout


def test_build_is_told_what_the_foundation_made(project):
    bootstrap(project)
    (submit,) = [line for line in calls(project) if line.startswith("gcloud builds submit")]
    assert "--service-account=the-builder_service_account_id" in submit
    assert "--substitutions=_ACTION=train,the-build_substitutions" in submit


def test_end_names_the_build_that_makes_the_first_champion(project):
    settings = project / "terraform/terraform.tfvars"
    settings.write_text(settings.read_text(encoding="utf-8") + 'region = "us-east4"\n', encoding="utf-8")
    result = bootstrap(project)
    assert "make gcloud-submit PROJECT_ID=iris-test ACTION=train" in result.stdout


def test_key_is_made_when_there_is_none_and_shown_nowhere(project):
    result = bootstrap(project)
    assert "key 64" in calls(project)
    assert "TF_VAR" not in result.stdout + result.stderr


def test_key_that_is_given_is_taken(project):
    bootstrap(project, TF_VAR_api_key_value="k" * 40)
    assert "key 40" in calls(project)


def test_image_that_is_there_is_not_built_again(project):
    (project / "built").touch()
    assert bootstrap(project).returncode == 0
    assert not any(line.startswith("gcloud builds submit") for line in calls(project))


def test_failed_build_leaves_the_service_alone(project):
    result = bootstrap(project, REFUSES="builds submit")
    assert result.returncode != 0
    assert not (project / "deployed").exists()
    assert not (project / "terraform/image.auto.tfvars").exists()


def test_image_of_a_failed_build_is_not_gone_on_with(project):
    bootstrap(project, REFUSES="builds submit")
    assert bootstrap(project).returncode == 0
    lines = calls(project)
    assert len([line for line in lines if line.startswith("gcloud builds submit")]) == 2
    assert not any("docker images list" in line for line in lines)


def test_builds_that_can_not_be_listed_end_it(project):
    assert bootstrap(project, REFUSES="builds list").returncode != 0
    assert not any(line.startswith("gcloud builds submit") for line in calls(project))


def test_build_without_an_image_says_where_to_look(project):
    result = bootstrap(project, BUILT=str(project / "missing" / "built"))
    assert result.returncode != 0
    assert "gcloud builds list" in result.stderr


def test_service_that_is_there_is_not_taken_away(project):
    (project / "deployed").touch()
    result = bootstrap(project)
    assert result.returncode != 0
    assert "has a service already" in result.stderr
    assert not any(" apply" in line for line in calls(project))


def test_second_bootstrap_points_to_apply(project):
    bootstrap(project)
    result = bootstrap(project)
    assert result.returncode != 0
    assert "make terraform-apply" in result.stderr


@pytest.mark.parametrize(
    ("refused", "remedy"),
    [
        ("auth print-access-token", "gcloud auth login"),
        ("auth application-default print-access-token", "gcloud auth application-default login"),
        ("projects describe", "gcloud projects create iris-test"),
    ],
)
def test_missing_credentials_say_the_remedy_and_change_nothing(project, refused, remedy):
    result = bootstrap(project, REFUSES=refused)
    assert result.returncode != 0
    assert remedy in result.stderr
    assert not any(line.startswith(("terraform", "gcloud services")) for line in calls(project))


def test_project_without_billing_says_the_remedy(project):
    result = bootstrap(project, BILLING="False")
    assert result.returncode != 0
    assert "gcloud billing projects link iris-test" in result.stderr


def test_missing_settings_say_which_file_to_copy(project):
    (project / "terraform/terraform.tfvars").unlink()
    result = bootstrap(project)
    assert result.returncode != 0
    assert "cp terraform/terraform.tfvars.example terraform/terraform.tfvars" in result.stderr


@pytest.mark.parametrize("missing", ["terraform", "gcloud"])
def test_missing_tool_says_where_to_get_it(project, missing):
    tools = project / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "env", "sed", "tail", "openssl"):
        (tools / name).symlink_to(shutil.which(name))
    (project / "bin" / missing).unlink()
    result = bootstrap(project, path=f"{project / 'bin'}:{tools}")
    assert result.returncode != 0
    assert f"{missing} is missing: https://" in result.stderr
