"""Rules over all .tf files: what must never break, and what only the real provider would refuse.

`terraform validate` knows arguments and types; the values that an argument may have, and arguments that exclude
each other, Google's API checks at the earliest. The values are from the provider's documentation.
"""

import re
from collections.abc import Iterator

import pytest

from tests.terraform.configuration import FILES, FOLDER, FOLDERS, parsed, resources

VALUES = {
    "aggregation_interval": "INTERVAL_5_SEC INTERVAL_30_SEC INTERVAL_1_MIN INTERVAL_5_MIN INTERVAL_10_MIN",
    "balancing_mode": "UTILIZATION RATE CONNECTION",
    "combiner": "AND OR AND_WITH_MATCHING_RESOURCE",
    "comparison": "COMPARISON_GT COMPARISON_LT",
    "connect_mode": "DIRECT_PEERING PRIVATE_SERVICE_ACCESS",
    "deletion_policy": "ABANDON DELETE DISABLE PREVENT",
    "egress": "ALL_TRAFFIC PRIVATE_RANGES_ONLY",
    "enablement_config": "INHERITED DISABLED",
    "enforce_on_key": "ALL IP HTTP_HEADER XFF_IP HTTP_COOKIE HTTP_PATH SNI REGION_CODE USER_IP",
    "execution_environment": "EXECUTION_ENVIRONMENT_GEN1 EXECUTION_ENVIRONMENT_GEN2",
    "ingress": "INGRESS_TRAFFIC_ALL INGRESS_TRAFFIC_INTERNAL_ONLY INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
    "ingress_settings": "ALLOW_ALL ALLOW_INTERNAL_ONLY ALLOW_INTERNAL_AND_GCLB",
    "json_parsing": "DISABLED STANDARD STANDARD_WITH_GRAPHQL",
    "load_balancing_scheme": "EXTERNAL_MANAGED",
    "log_level": "NORMAL VERBOSE",
    "metric_kind": "DELTA GAUGE CUMULATIVE",
    "min_tls_version": "TLS_1_2",
    "most_disruptive_allowed_action": "NONE REFRESH RESTART REPLACE",
    "nat_ip_allocate_option": "AUTO_ONLY MANUAL_ONLY",
    "network_endpoint_type": "SERVERLESS",
    "profile": "MODERN RESTRICTED",
    "public_access_prevention": "enforced",
    "redirect_response_code": "MOVED_PERMANENTLY_DEFAULT PERMANENT_REDIRECT",
    "source_subnetwork_ip_ranges_to_nat": "ALL_SUBNETWORKS_ALL_IP_RANGES ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES",
    "tag_state": "TAGGED UNTAGGED ANY",
    "transit_encryption_mode": "SERVER_AUTHENTICATION DISABLED",
    "versioned_expr": "SRC_IPS_V1",
    "with_state": "LIVE ARCHIVED ANY",
}
REQUIRED = {  # where the default changed between 7.x and 8.x of the provider, or is unsafe
    "google_cloud_run_v2_service": {"ingress", "deletion_protection"},
    "google_compute_backend_service": {"load_balancing_scheme", "security_policy"},
    "google_compute_global_forwarding_rule": {"load_balancing_scheme"},
    "google_project_service": {"disable_on_destroy"},
    "google_storage_bucket": {"public_access_prevention", "uniform_bucket_level_access", "force_destroy"},
}
NEVER_ON_THE_PROJECT = re.compile(
    r"roles/(owner|editor|secretmanager\..*|iam\.serviceAccount(User|TokenCreator)|storage\.(admin|object(Admin|User))|run\..*"
    r"|cloudbuild\..*|artifactregistry\..*|compute\.(admin|instanceAdmin.*))"
)


def assignments(body: object) -> Iterator[tuple[str, object]]:
    """Every argument of a block and of the blocks in it."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield name, value
            yield from assignments(value)
    elif isinstance(body, list):
        for item in body:
            yield from assignments(item)


def test_arguments_have_values_that_google_knows():
    seen = set()
    for _, place, body in resources():
        for name, value in assignments(body):
            if name in VALUES and isinstance(value, str):
                seen.add(name)
                literals = [value] if not value.startswith("${") else re.findall(r'\? "([^"]*)" : "([^"]*)"', value)
                for literal in [part for found in literals for part in ([found] if isinstance(found, str) else found)]:
                    assert literal in VALUES[name].split(), f"{place}: {name}"
    assert seen == set(VALUES)


@pytest.mark.parametrize("kind", REQUIRED)
def test_arguments_whose_default_is_not_relied_on_are_written(kind):
    found = [(place, body) for resource, place, body in resources() if resource == kind]
    assert found
    for place, body in found:
        assert REQUIRED[kind] <= set(body), place


def test_no_service_account_has_a_key():
    assert not [place for kind, place, _ in resources() if kind == "google_service_account_key"]


def test_nothing_is_public_in_iam():
    for kind, place, body in resources():
        if "_iam_" in kind:
            members = f"{body.get('member')} {body.get('members')}"
            assert "allUsers" not in members, place
            assert "allAuthenticatedUsers" not in members, place


def test_no_wide_role_is_bound_on_the_project():
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        for block in re.findall(
            r'^resource "google_project_iam_(?:member|binding)" .*?^}', text, re.MULTILINE | re.DOTALL
        ):
            role = re.search(r"^  role += (.*)$", block, re.MULTILINE)[1]
            assert not NEVER_ON_THE_PROJECT.search(role) or "  condition {" in block, f"{path}: {role}"


def test_policies_are_added_to_and_never_replaced():
    assert not [place for kind, place, _ in resources() if kind.endswith(("_iam_policy", "_iam_binding"))]


def test_ssh_is_never_open_to_everybody():
    for kind, place, body in resources():
        if kind == "google_compute_firewall" and "0.0.0.0/0" in str(body.get("source_ranges")):
            ports = [port for rule in body.get("allow", []) for port in rule.get("ports", ["all"])]
            assert ports in ([], ["80"]), place


def test_every_backend_stands_behind_the_same_policy():
    policies = {body["security_policy"] for kind, _, body in resources() if kind == "google_compute_backend_service"}
    assert policies == {"${local.security_policy}"}  # off only by enable_cloud_armor: tests/serving-edge.tftest.hcl


def test_url_maps_have_one_default_each():
    for kind, place, body in resources():
        if kind == "google_compute_url_map":
            defaults = {"default_service", "default_url_redirect", "default_route_action"} & set(body)
            dynamic = [name for block in body.get("dynamic", []) for name in block]
            assert len(defaults) + sum(name.startswith("default_") for name in dynamic) >= 1, place
            assert len(defaults) <= 1, place


def test_serverless_backends_leave_out_what_google_refuses():
    """No health check, time-out, port name or balancing mode goes with a serverless group."""
    for kind, place, body in resources():
        if kind == "google_compute_backend_service" and "vm" not in place:
            assert not {"timeout_sec", "port_name", "session_affinity", "locality_lb_policy"} & set(body), place


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(FOLDER)))
def test_variables_and_locals_are_used(folder):
    blocks = [parsed(path) for path in sorted(folder.glob("*.tf"))]
    used = str([{kind: body for kind, body in block.items() if kind != "variable"} for block in blocks])
    # a variable's own validation is no use of it, but may use another
    for declared in [named for block in blocks for named in block.get("variable", [])]:
        name = next(iter(declared))
        others = str([named for block in blocks for named in block.get("variable", []) if named != declared])
        assert re.search(rf"\bvar\.{name}\b", used + others), f"var.{name}"
    for name in [name for block in blocks for values in block.get("locals", []) for name in values]:
        assert re.search(rf"\blocal\.{name}\b", used), f"local.{name}"


def test_outputs_of_modules_are_read():
    readers = "".join(path.read_text(encoding="utf-8") for path in [*FILES, *FOLDER.glob("tests/*.tftest.hcl")])
    for folder in FOLDERS[1:]:
        module = folder.name.replace("-", "_")
        for path in folder.glob("outputs.tf"):
            for name in [name for named in parsed(path)["output"] for name in named]:
                read = re.search(rf"\bmodule\.{module}(\[[^]]*\])?\.{name}\b|\boutput\.{name}\b", readers)
                assert read, f"{path.relative_to(FOLDER)}: {name}"
