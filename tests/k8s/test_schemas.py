"""Every resource fits the schema of its kind."""

import json
import os
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest

from tests.k8s.manifests import program

pytestmark = pytest.mark.k8s

KUBERNETES = ("1.34", kubernetes_validate.latest_version())
"""The oldest release that is supported in 2026-11, and the newest that the validator knows."""

BY_TYPES = ("gateway.networking.k8s.io", "keda.sh", "networking.gke.io")
BY_ASSERTIONS = ("PodMonitoring", "SecretProviderClass")
"""No package has these kinds' schemas; test_manifests.py says what must stand in them."""

SCHEMAS = Path(__file__).parent / "schemas"


def group(resource):
    return resource["apiVersion"].partition("/")[0]


@pytest.fixture(scope="module")
def faults_by_types():
    """Checks custom resources by the types and validators of their npm packages."""
    node = program("node", "apt-get install nodejs npm")
    if not (SCHEMAS / "node_modules").exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no node_modules; run make k8s-check")

    def faults(resources):
        command = [node, str(SCHEMAS / "check.mjs")]
        done = subprocess.run(
            command, input=json.dumps(resources), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return faults


@pytest.mark.parametrize("release", KUBERNETES)
def test_kubernetes_own_kinds_fit_their_schemas(any_build, release):
    for resource in any_build.resources:
        if group(resource) not in BY_TYPES and resource["kind"] not in BY_ASSERTIONS:
            kubernetes_validate.validate(resource, release, strict=True)


def test_custom_kinds_fit_their_packages_types(any_build, faults_by_types):
    custom = [resource for resource in any_build.resources if group(resource) in BY_TYPES]
    assert faults_by_types(custom) == []


@pytest.mark.parametrize(
    ("kind", "change", "fault"),
    [
        ("GCPBackendPolicy", lambda spec: spec["default"].update(timeoutSeconds=1), "timeoutSeconds"),
        ("HealthCheckPolicy", lambda spec: spec["default"]["config"].update(type="FTP"), "FTP"),
        ("Gateway", lambda spec: spec["listeners"][0].update(port=70000), "65535"),
        ("HTTPRoute", lambda spec: spec["parentRefs"][0].pop("name"), "name"),
    ],
)
def test_fault_in_a_custom_resource_is_found(build, faults_by_types, kind, change, fault):
    resource = json.loads(json.dumps(build("gke").one(kind)))
    change(resource["spec"])
    assert fault in " ".join(faults_by_types([resource]))


def test_fault_in_a_kind_of_kubernetes_is_found(build):
    resource = json.loads(json.dumps(build("gke").one("Deployment")))
    resource["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(resource, KUBERNETES[-1], strict=True)
