"""Health for people and monitors, probes for machines."""

import pytest

from functions import __version__


def test_health_with_model_is_healthy(client):
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json == {"status": "healthy", "model_loaded": True, "version": __version__}


def test_health_without_model_is_unhealthy(make_client):
    response = make_client(None).get("/health")
    assert response.status_code == 503
    assert response.json == {"status": "unhealthy", "model_loaded": False, "version": __version__}


@pytest.mark.parametrize("loaded", [True, False])
def test_process_is_alive_with_and_without_model(make_client, model, loaded):
    assert make_client(model if loaded else None).get("/health/live").status_code == 200


@pytest.mark.parametrize(("loaded", "status"), [(True, 200), (False, 503)])
def test_service_is_ready_with_a_model_only(make_client, model, loaded, status):
    assert make_client(model if loaded else None).get("/health/ready").status_code == status


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_head_is_answered_like_get_without_body(client, path):
    response = client.head(path)
    assert response.status_code == 200
    assert response.data == b""


def test_no_path_ends_in_z(make_app):
    assert not [rule.rule for rule in make_app().url_map.iter_rules() if rule.rule.endswith("z")]
