"""docs/coming-from-1.x.md names everything that users of 1.x know, and only what is here."""

import re

import pytest
import yaml

from functions.app import create_app
from functions.champion import Champion
from functions.metrics import ServiceMetrics
from functions.settings import Settings
from functions.variables import variables_of
from tests.docs.pages import ROOT, page, table

PAGE = "docs/coming-from-1.x.md"
KNOWN = {
    "Make targets": """install train test lint format run build help mlflow-ui mlflow-experiments dvc-init dvc-repro
        dvc-status dvc-push dvc-pull dvc-pipeline terraform-init terraform-plan terraform-apply terraform-destroy
        terraform-output terraform-validate terraform-fmt terraform-refresh k8s-setup k8s-setup-kind k8s-deploy
        k8s-status k8s-logs k8s-port-forward k8s-test k8s-delete k8s-clean run-prod run-docker stop-docker clean
        health ci""",
    "Routes": "/ /health /metrics /predict /model/info /docs /redoc",
    "Metrics": "model_predictions_total model_confidence model_loaded api_errors_total",
    "Environment": """ENVIRONMENT API_KEY CORS_ORIGINS LOG_LEVEL MODEL_DIR MLFLOW_TRACKING_URI
        GOOGLE_APPLICATION_CREDENTIALS API_PORT""",
    "Pipeline": """data.test_size data.random_state train.n_estimators train.max_depth data/raw/iris.csv
        data/processed/train.csv data/processed/test.csv models/metadata.json models/metrics.json mlruns/""",
    "Containers, VM, Kubernetes": """iris-api iris-api-server mlops-api.service /opt/mlops-api /var/log/startup.log
        k8s/namespace.yaml k8s/deployment.yaml k8s/service.yaml k8s/configmap.yaml k8s/secret.yaml.example
        k8s/ingress.yaml k8s/hpa.yaml""",
    "Terraform variables": """project_id region zone network_name vm_name machine_type vm_image disk_size_gb
        service_account_name bucket_name force_destroy_bucket docker_image allowed_ssh_ips allowed_http_ips
        iap_tunnel_users enable_public_ip secret_manager_api_key_name create_secret_manager_secret api_key_value
        cors_origins mlflow_tracking_uri enable_kms_encryption kms_key_name enable_load_balancer load_balancer_name
        enable_cloud_armor enable_monitoring_alerts notification_channels tags""",
    "Terraform outputs": """project_id bucket_name bucket_url mlflow_tracking_uri vm_name vm_zone vm_external_ip
        vm_internal_ip vm_ssh_command service_account_email service_account_id network_name subnetwork_name region
        zone secret_manager_secret_name load_balancer_ip load_balancer_url monitoring_enabled""",
    "Docs": "PHASE_1 PHASE_2 PHASE_3 PHASE_4 PHASE_5 PHASE_6",
}
ELSEWHERE = {"GOOGLE_APPLICATION_CREDENTIALS", "API_PORT"}
"""Variables that another program reads: Google's libraries, Docker Compose."""
WORDS = {
    *("iris-classification", "IrisClassifier", "gs://$PROJECT_ID-dvc-cache", "gs://$BUCKET_NAME/"),
    *("openssl rand -hex 32", "dvc exp run -S train.n_estimators=200 -S train.max_depth=10"),
    *("dvc remote add -d gcs", "gcloud storage cp -r mlruns/", "terraform.tfvars.example", "journalctl -u mlops-api"),
    *("docker logs iris-api", "-target=google_project_iam_member.artifact_registry_reader", "mlflow_run_id"),
    *("PROJECT-terraform-state", "backend.tf", "email:admin@example.com", "sepal_length", "petal_width", "mlops-repo"),
}
"""What else of 1.x has to be found on the page."""


def section(heading: str) -> str:
    return page(PAGE).split(f"\n## {heading}\n")[1].split("\n## ")[0]


def rows(heading: str) -> list[list[str]]:
    return table(section(heading), "1.x")


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def here(heading: str) -> set[str]:
    """The names in the section's column of what there is now."""
    return {name for row in rows(heading) for name in code(row[1])}


def declared(kind: str) -> set[str]:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "terraform").glob("*.tf"))
    return set(re.findall(rf'^{kind} "(\w+)"', text, re.MULTILINE))


def missing_files(names: set[str]) -> set[str]:
    """The names for which there is no file, and which no stage makes."""
    stages = yaml.safe_load(page("dvc.yaml"))["stages"].values()
    outputs = [out for stage in stages for kind in ("outs", "metrics") for out in stage.get(kind, [])]
    made = {next(iter(out)) if isinstance(out, dict) else out for out in outputs} | {"mlruns/"}
    return {
        name
        for name in names
        if not (ROOT / name).exists() and not any(name == out or name.startswith(f"{out}/") for out in made)
    }


@pytest.mark.parametrize("heading", KNOWN)
def test_every_name_of_1_x_has_its_row(heading):
    named = {name for row in rows(heading) for name in code(row[0])}
    assert named == set(KNOWN[heading].split())


@pytest.mark.parametrize("word", sorted(WORDS))
def test_what_people_type_is_found_on_the_page(word):
    assert word in page(PAGE)


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", page("Makefile"), re.MULTILINE))
    assert {name.removeprefix("make ") for name in here("Make targets")} <= targets


def test_routes_exist():
    rules = create_app(Settings(), Champion()).url_map.iter_rules()
    assert here("Routes") <= {f"{method} {rule.rule}" for rule in rules for method in rule.methods}


def test_metrics_exist():
    families = ServiceMetrics().registry.collect()
    names = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    assert here("Metrics") <= names


def test_settings_exist():
    assert here("Environment") <= {variable.name for variable in variables_of(Settings)}
    without_place = {code(row[0])[0] for row in rows("Environment") if row[1] == "-"}
    assert without_place == ELSEWHERE
    assert "${API_PORT:-" in page("compose.yaml")


def test_parameters_and_files_of_the_pipeline_exist():
    params = yaml.safe_load(page("params.yaml"))
    names = here("Pipeline")
    keys = {name for name in names if "/" not in name}
    assert all(key in params[part] for part, key in (name.split(".") for name in keys))
    assert missing_files(names - keys) == set()


def test_files_of_containers_and_kubernetes_exist():
    assert missing_files(here("Containers, VM, Kubernetes")) == set()


@pytest.mark.parametrize("kind", ["variable", "output"])
def test_terraform_names_exist(kind):
    assert here(f"Terraform {kind}s") <= declared(kind)


def test_pages_exist():
    assert missing_files(here("Docs")) == set()


def test_other_names_of_the_last_column_exist():
    text = page(PAGE)
    files = {name for name in code(text) if re.fullmatch(r"(?:docs|terraform|k8s|tests|artifacts)/[\w./-]+", name)}
    written_by_bootstrap = {"terraform/backend.tf"}
    of_1_x = {name for name in KNOWN["Containers, VM, Kubernetes"].split() if name.startswith("k8s/")}
    assert missing_files(files - of_1_x) <= written_by_bootstrap
    assert {"api_key_version", "service_url"} <= declared("variable") | declared("output")
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", page("Makefile"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z0-9-]+)", text)) <= targets
