"""The manifests as a cluster would get them."""

from collections.abc import Callable

import pytest
import yaml

from tests.k8s.manifests import BUILDS, Build, add_components, copy_manifests, render


@pytest.fixture(scope="session")
def render_text(tmp_path_factory) -> Callable[..., str]:
    """render_text("gke", "canary"): the YAML of an overlay with components."""
    known: dict[tuple[str, ...], str] = {}

    def text(overlay: str, *components: str) -> str:
        key = (overlay, *components)
        if key not in known:
            copy = copy_manifests(tmp_path_factory.mktemp("manifests"))
            add_components(copy / "overlays" / overlay, list(components))
            known[key] = render(copy / "overlays" / overlay)
        return known[key]

    return text


@pytest.fixture(scope="session")
def build(render_text) -> Callable[..., Build]:
    """build("gke", "canary"): the resources of an overlay with components."""

    def parsed(overlay: str, *components: str) -> Build:
        return Build(list(yaml.safe_load_all(render_text(overlay, *components))))

    return parsed


@pytest.fixture(params=BUILDS, ids="+".join)
def any_build(request, build) -> Build:
    return build(*request.param)
