"""What the serving modules say, and what else says the same: the service's routes, Cloud Build's roll, the docs."""

import re
from pathlib import Path

import hcl2
import pytest

from functions.api import health

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "terraform" / "modules"
PLAIN = hcl2.SerializationOptions(strip_string_quotes=True, explicit_blocks=False, with_comments=False)


def resource(path: str, kind: str, name: str = "default") -> dict:
    with (MODULES / path).open(encoding="utf-8") as file:
        blocks = hcl2.load(file, serialization_options=PLAIN)["resource"]
    return next(block[kind][name] for block in blocks if name in block.get(kind, {}))


def ignored(body: dict) -> set[str]:
    return {attribute.removeprefix("${").removesuffix("}") for attribute in body["lifecycle"][0]["ignore_changes"]}


@pytest.mark.parametrize(
    ("path", "kind", "name", "attributes"),
    [
        ("edge/proxies.tf", "google_compute_target_https_proxy", "default", {"url_map"}),
        ("edge/proxies.tf", "google_compute_target_http_proxy", "trial", {"url_map"}),
        ("fallback-vm/group.tf", "google_compute_region_instance_group_manager", "default", {"version[0].name"}),
        ("fallback-vm/image.tf", "google_storage_bucket_object", "image", {"content", "detect_md5hash"}),
        (
            "service/cloud-run.tf",
            "google_cloud_run_v2_service",
            "default",
            {"client", "client_version", "template[0].containers[0].image", "traffic"},
        ),
    ],
)
def test_terraform_leaves_alone_what_failover_and_builds_own(path, kind, name, attributes):
    assert attributes <= ignored(resource(path, kind, name))


def test_terraform_takes_away_a_revision_name_that_somebody_left():
    """A name that stays in the template is sent again with the next change: 409, "Revision named ... already exists".

    Builds deploy without one, and what is null in the configuration and in the service is no difference.
    """
    service = resource("service/cloud-run.tf", "google_cloud_run_v2_service")
    assert "template[0].revision" not in ignored(service)
    assert not {"revision"} & set(service["template"][0])


def test_probes_ask_routes_that_the_service_has():
    asked = set()
    for path in MODULES.glob("*/*.tf"):
        if path.parent.name in {"service", "edge", "fallback-vm"}:
            asked |= set(re.findall(r'\b(?:request_)?path += "(/[^"]*)"', path.read_text(encoding="utf-8")))
    collector = {"/liveness", "/metrics"}  # the collector's own, and what it scrapes
    assert asked == {health.LIVE, health.READY} | collector


def test_docs_roll_the_group_as_terraform_keeps_it():
    text = (MODULES / "fallback-vm" / "group.tf").read_text(encoding="utf-8")
    zones = int(re.search(r"zones = (\d+)", text)[1])
    docs = (ROOT / "docs" / "failover.md").read_text(encoding="utf-8")
    assert f"--max-surge={zones} --max-unavailable=0" in docs
    assert f"rolling-action restart iris-api-server --region=europe-west1 --max-unavailable={zones}" in docs
    image = resource("fallback-vm/image.tf", "google_storage_bucket_object", "image")
    assert f"gs://PROJECT-ml-models/{image['name']}" in docs
