"""What goes away is let go of first.

Google refuses to delete what something else still names. Terraform destroys a resource before it updates, in place, the
one that named it, and so fails again at each retry. With create_before_destroy the update comes first; a referrer that
is replaced, by replace_triggered_by, goes first.
"""

import re
from pathlib import Path

import pytest

from tests.terraform.configuration import FOLDER, FOLDERS, parsed

MODULES = FOLDER / "modules"

# Optional, and referred to by what may stay, but never gone while it does.
GOES_WITH_ITS_REFERRERS = {
    "google_cloudbuild_trigger.started": "function and schedule need the repository that it needs",
    "google_compute_url_map.default": "both maps are always there",
    "google_kms_key_ring.default": "neither ring nor keys are ever destroyed",
    "google_monitoring_custom_service.default": "goes with the last objective",
    "google_monitoring_notification_channel.default": "force_delete takes it out of the policies",
    "google_monitoring_slo.default": "alerts have its key",
    "google_pubsub_topic.alerts": "channels have its key",
    "google_storage_bucket.default": "the buckets are always there",
}
# Replaced when an argument changes, while something else names them.
REPLACED = {
    "edge": [
        "google_compute_managed_ssl_certificate.default",
        "google_compute_region_network_endpoint_group.candidate",
        "google_compute_region_network_endpoint_group.cloud_run",
    ],
    "fallback-vm": ["google_compute_instance_template.default"],
    "monitoring": ["google_monitoring_uptime_check_config.ready"],
}


def named(folder: Path, kind: str) -> dict[str, dict]:
    blocks = [block for path in sorted(folder.glob("*.tf")) for block in parsed(path).get(kind, [])]
    if kind == "locals":
        return {name: value for block in blocks for name, value in block.items()}
    return {
        f"{type_}.{name}": body for block in blocks for type_, bodies in block.items() for name, body in bodies.items()
    }


def referred(folder: Path, text: str, through: frozenset[str] = frozenset()) -> set[str]:
    """The module's resources and variables that an expression leads to, by its locals too."""
    found = set(re.findall(r"\b(?:google_\w+|terraform_data|var)\.\w+", text))
    values = named(folder, "locals")
    for name in set(re.findall(r"\blocal\.(\w+)", text)) - through:
        found |= referred(folder, str(values[name]), through | {name})
    return found


def arguments(body: dict) -> str:
    return str({name: value for name, value in body.items() if name not in {"depends_on", "lifecycle"}})


def lifecycle(body: dict, argument: str) -> bool:
    return any(argument in block for block in body.get("lifecycle", []))


def instances(body: dict) -> object:
    return body.get("count", body.get("for_each"))


def constant(body: dict) -> bool:
    return instances(body) is None or re.fullmatch(r"\$\{toset\(\[[^]]*\]\)\}", str(instances(body))) is not None


def optional_and_named() -> list[tuple[Path, str, str]]:
    """Module, resource and referrer, where the referrer may be updated in place after the resource is gone."""
    return [
        (folder, name, referrer)
        for folder in FOLDERS
        for bodies in [named(folder, "resource")]
        for referrer, body in bodies.items()
        if "_iam_" not in referrer  # a binding is replaced, and Google asks not what it names
        for name in sorted(referred(folder, arguments(body)) & set(bodies) - {referrer})
        if not constant(bodies[name]) and instances(bodies[name]) != instances(body)
    ]


PAIRS = optional_and_named()


@pytest.mark.parametrize(
    ("folder", "name", "referrer"),
    [pair for pair in PAIRS if pair[1] not in GOES_WITH_ITS_REFERRERS],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_what_is_optional_goes_after_what_names_it(folder, name, referrer):
    bodies = named(folder, "resource")
    first = (
        lifecycle(bodies[name], "create_before_destroy")
        or lifecycle(bodies[referrer], "create_before_destroy")  # Terraform carries it over to what is referred to
        or lifecycle(bodies[referrer], "replace_triggered_by")
    )
    assert first, f"{referrer} still names {name} when it is destroyed"


def test_exceptions_are_needed():
    assert set(GOES_WITH_ITS_REFERRERS) <= {name for _, name, _ in PAIRS}


def test_rule_sees_through_locals_and_counts():
    pairs = {(name, referrer) for _, name, referrer in PAIRS}
    assert ("google_compute_security_policy.default", "google_compute_backend_service.vm") in pairs
    assert ("google_compute_target_http_proxy.trial", "google_compute_global_forwarding_rule.http") in pairs
    assert ("google_certificate_manager_certificate_map.default", "google_compute_target_https_proxy.default") in pairs


@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder, names in REPLACED.items() for name in names])
def test_what_is_replaced_goes_after_what_names_it(folder, name):
    assert lifecycle(named(MODULES / folder, "resource")[name], "create_before_destroy")


def test_rule_of_port_80_follows_the_domain():
    bodies = named(MODULES / "edge", "resource")
    (triggers,) = bodies["google_compute_global_forwarding_rule.http"]["lifecycle"]
    assert "terraform_data.tls" in str(triggers["replace_triggered_by"])
    assert bodies["terraform_data.tls"]["input"] == "${local.tls}"


def test_nothing_that_leads_to_the_vms_group_is_created_before_it_is_destroyed():
    """It would make the group so too, and a group that a public VM's zone replaces has the name of the one before."""
    bodies = named(MODULES / "edge", "resource")

    def leads_there(name: str) -> bool:
        found = referred(MODULES / "edge", arguments(bodies[name]))
        return "var.vm" in found or any(leads_there(other) for other in found & set(bodies) - {name})

    leading = {name for name in bodies if leads_there(name)}
    assert {"google_compute_backend_service.vm", "google_compute_url_map.default"} <= leading
    assert not [name for name in sorted(leading) if lifecycle(bodies[name], "create_before_destroy")]
    group = named(MODULES / "fallback-vm", "resource")["google_compute_region_instance_group_manager.default"]
    assert not lifecycle(group, "create_before_destroy")
