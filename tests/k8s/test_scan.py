"""A scanner finds nothing in the manifests."""

import json
import os
import subprocess

import pytest

from tests.k8s.manifests import K8S, ROOT

pytestmark = pytest.mark.k8s

CHECKOV = ROOT / ".venv-scanners/bin/checkov"


@pytest.fixture(scope="module")
def scan():
    """Checkov's report of a YAML file."""
    if not CHECKOV.exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("there is no checkov; run make k8s-check")

    def report(path):
        command = [CHECKOV, "--config-file", K8S / ".checkov.yaml", "--file", path, "--output", "json"]

        done = subprocess.run(
            [*map(str, command), "--skip-download", "--quiet"],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return json.loads(done.stdout)

    return report


def test_checkov_finds_nothing(render_text, scan, tmp_path):
    builds = [("local", "ingress", "redis"), ("local", "keda"), ("gke", "canary", "retrain", "score")]
    manifests = tmp_path / "manifests.yaml"
    manifests.write_text("\n---\n".join(render_text(*build) for build in builds))
    found = scan(manifests)
    failed = [(one["check_id"], one["resource"]) for one in found["results"]["failed_checks"]]
    assert failed == []
    assert found["summary"]["passed"] > 500


def test_checkov_finds_a_container_that_may_gain_privileges(render_text, scan, tmp_path):
    manifests = tmp_path / "manifests.yaml"
    text = render_text("local")
    assert "allowPrivilegeEscalation: false" in text
    manifests.write_text(text.replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"))
    assert [one["check_id"] for one in scan(manifests)["results"]["failed_checks"]] == ["CKV_K8S_20"]
