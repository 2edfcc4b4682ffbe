"""What stands in terraform/ and elsewhere is the same: names, limits, port, settings."""

import json
import re
from pathlib import Path

import hcl2
import pytest
import yaml

from functions.keys import MINIMUM_KEY_LENGTH
from functions.settings import OUR_FOLDERS, FailoverSettings, RetrainSettings, Settings, variables
from functions.variables import variables_of

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "terraform"
PLAIN = hcl2.SerializationOptions(strip_string_quotes=True, explicit_blocks=False, with_comments=False)


def parsed(path: Path) -> dict:
    with path.open(encoding="utf-8") as file:
        return hcl2.load(file, serialization_options=PLAIN)


def root_blocks(kind: str) -> dict:
    return {
        name: body
        for path in sorted(FOLDER.glob("*.tf"))
        for block in parsed(path).get(kind, [])
        for name, body in block.items()
    }


def local_values() -> dict:
    return {
        name: value
        for path in sorted(FOLDER.glob("*.tf"))
        for block in parsed(path).get("locals", [])
        for name, value in block.items()
    }


VARIABLES = root_blocks("variable")
OUTPUTS = root_blocks("output")

# Users' tfvars and scripts of version 1 have these.
KNOWN_VARIABLES = """
    project_id region zone network_name vm_name machine_type vm_image disk_size_gb service_account_name bucket_name
    force_destroy_bucket docker_image allowed_ssh_ips allowed_http_ips iap_tunnel_users enable_public_ip
    secret_manager_api_key_name create_secret_manager_secret api_key_value cors_origins mlflow_tracking_uri
    enable_kms_encryption kms_key_name enable_load_balancer load_balancer_name enable_cloud_armor
    enable_monitoring_alerts notification_channels tags
"""
KNOWN_OUTPUTS = """
    project_id bucket_name bucket_url mlflow_tracking_uri vm_name vm_zone vm_external_ip vm_internal_ip vm_ssh_command
    service_account_email service_account_id network_name subnetwork_name region zone secret_manager_secret_name
    load_balancer_ip load_balancer_url monitoring_enabled service_url artifact_registry
"""


@pytest.mark.parametrize("name", KNOWN_VARIABLES.split())
def test_known_variable_is_there(name):
    assert name in VARIABLES


@pytest.mark.parametrize("name", KNOWN_OUTPUTS.split())
def test_known_output_is_there(name):
    assert name in OUTPUTS


@pytest.mark.parametrize(
    ("variable", "default"),
    [
        ("region", "europe-west1"),
        ("secret_manager_api_key_name", "mlops-api-key"),
        ("service_account_name", "mlops-api-sa"),
        ("vm_name", "iris-api-server"),
    ],
)
def test_default_is_the_name_that_users_scripts_rely_on(variable, default):
    assert VARIABLES[variable]["default"] == default


def test_service_and_repository_have_the_names_that_users_scripts_rely_on():
    assert local_values()["service_name"] == "iris-api"
    repository = {
        name: body
        for block in parsed(FOLDER / "modules/registry/variables.tf")["variable"]
        for name, body in block.items()
    }
    assert repository["repository_id"]["default"] == "mlops-repo"


def test_buckets_have_the_names_that_users_scripts_rely_on():
    buckets = (FOLDER / "modules/storage/buckets.tf").read_text(encoding="utf-8")
    assert '"${var.project_id}-dvc-cache"' in buckets
    assert "${var.project_id}-ml-models" in local_values()["models_bucket"]
    assert "PROJECT_ID-terraform-state" in (FOLDER / "backend.tf.example").read_text(encoding="utf-8")


def test_limits_are_the_services_own():
    optional = dict(re.findall(r"(\w+) = optional\(number, (\d+)\)", VARIABLES["rate_limits"]["type"]))
    settings = Settings()
    assert {name: int(limit) for name, limit in optional.items()} == {
        name.removeprefix("rate_limit_"): getattr(settings, name)
        for name in ("rate_limit_auth_failures", "rate_limit_health", "rate_limit_model_info", "rate_limit_predict")
    }


def test_shortest_key_is_the_services_own():
    limits = parsed(FOLDER / "modules/edge/limits.tf")["locals"][0]
    assert limits["shortest_key"] == MINIMUM_KEY_LENGTH
    (validation,) = VARIABLES["api_key_value"]["validation"]
    assert f">= {MINIMUM_KEY_LENGTH}]" in validation["condition"]


def test_port_is_the_services_own():
    assert local_values()["container_port"] == Settings().port


def test_environment_holds_the_services_settings():
    given = set(local_values()["service_environment"])
    assert given <= {variable.name for variable in variables()}
    assert given >= {"ENVIRONMENT", "CORS_ORIGINS", "API_KEY_FILE", "TRUSTED_PROXY_HOPS"}


def test_failover_is_given_all_its_settings():
    settings = parsed(FOLDER / "modules/failover/state.tf")["locals"][0]["settings"]
    assert set(settings) - {"GOOGLE_CLOUD_PROJECT"} == {variable.name for variable in variables_of(FailoverSettings)}


def test_retraining_is_given_all_its_settings_and_no_folder_that_builds_write():
    function = (FOLDER / "modules/delivery/function.tf").read_text(encoding="utf-8")
    for variable in variables_of(RetrainSettings):
        assert re.search(rf"^ +{variable.name} += ", function, re.MULTILINE), variable.name
    refused = re.search(r"for own in (\[.*?\])", (FOLDER / "modules/delivery/variables.tf").read_text(encoding="utf-8"))
    assert refused is not None
    assert tuple(json.loads(refused[1])) == OUR_FOLDERS


def test_pods_act_as_the_accounts_that_their_annotations_name():
    accounts = parsed(FOLDER / "modules/identity/service-accounts.tf")["locals"][0]["service_accounts"]
    names = {"builder": accounts["builder"]["name"], "runtime": VARIABLES["service_account_name"]["default"]}
    operations = (FOLDER / "operations.tf").read_text(encoding="utf-8")
    bound = {
        pod: names[key] for pod, key in re.findall(r'^ +(\S+) += module\.identity\.ids\["(\w+)"\]$', operations, re.M)
    }
    annotated = {}
    for path in (ROOT / "k8s").rglob("service-account*.yaml"):
        metadata = yaml.safe_load(path.read_text(encoding="utf-8"))["metadata"]
        if account := metadata.get("annotations", {}).get("iam.gke.io/gcp-service-account"):
            annotated[metadata["name"]] = account.partition("@")[0]
    assert {pod: name for pod, name in bound.items() if pod.startswith("iris-api")} == annotated


def test_cluster_has_the_names_that_the_overlay_uses():
    overlay = ROOT / "k8s/overlays/gke"
    declared = parsed(FOLDER / "modules/gke/variables.tf")["variable"]
    namespace = next(block["namespace"]["default"] for block in declared if "namespace" in block)
    assert yaml.safe_load((overlay / "kustomization.yaml").read_text(encoding="utf-8"))["namespace"] == namespace
    secret = VARIABLES["secret_manager_api_key_name"]["default"]
    assert f"/secrets/{secret}/" in (overlay / "secret-provider-class.yaml").read_text(encoding="utf-8")
