"""Building the manifests as a cluster would get them."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
OVERLAY_OF = {"canary": "gke", "ingress": "local", "keda": "local", "redis": "local", "retrain": "gke", "score": "gke"}
"""Each component with the overlay that it is shown with."""

Resource = dict[str, Any]


@dataclass(frozen=True)
class Build:
    """The resources of one overlay, with components added or without."""

    resources: list[Resource]

    def all(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource["kind"] == kind]

    def one(self, kind: str, name: str = "iris-api") -> Resource:
        [found] = [resource for resource in self.all(kind) if resource["metadata"]["name"] == name]
        return found


def program(name: str, install: str) -> str:
    """Path of a program; without it, tests are skipped on a person's machine and fail in CI."""
    path = shutil.which(name)
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"there is no {name}; install it: {install}")
    return path


def render(folder: Path) -> str:
    kubectl = program("kubectl", "https://kubernetes.io/docs/tasks/tools/")
    command = [kubectl, "kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def copy_manifests(folder: Path) -> Path:
    """A copy of k8s/ as it is in Git, with the example's secret in the secret's place."""
    copy = folder / "k8s"
    shutil.copytree(K8S, copy, ignore=shutil.ignore_patterns("secret.yaml"))
    shutil.copy(copy / "secret.yaml.example", copy / "secret.yaml")
    return copy


def add_components(overlay: Path, components: list[str]) -> None:
    """Add components to an overlay's kustomization, as a person would."""
    path = overlay / "kustomization.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    present = content.setdefault("components", [])
    present += [entry for name in components if (entry := f"../../components/{name}") not in present]
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def pod_template(resource: Resource) -> Resource:
    """The pod template of a workload."""
    spec = resource["spec"]
    if resource["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    template: Resource = spec["template"]
    return template


BUILDS = [("local",), ("gke",), *((overlay, name) for name, overlay in OVERLAY_OF.items())]
"""Every overlay, and every component with its overlay."""
