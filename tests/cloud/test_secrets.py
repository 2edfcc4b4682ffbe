"""Keys from Secret Manager in a real process: Google's client as it is, over TLS, with a service account's identity.

A proxy (https://grpc.github.io/grpc/core/md_doc_environment_variables.html) leads the connection to
secretmanager.googleapis.com to the server on this machine, whose certificate the process trusts.
"""

import json
import os
import subprocess
import sys
import time

import grpc
import pytest

pytestmark = pytest.mark.cloud

LATEST = "projects/p/secrets/mlops-api-key/versions/latest"
BEFORE = "projects/p/secrets/mlops-api-key/versions/7"
OLD, NEW, REMOVED, SHORT = ("old-secret-" * 4, "new-secret-" * 4, "removed-secret-" * 3, "short-secret")
PRIVATE = ("/predict", "/v2/models/IrisClassifier/infer", "/nowhere")
PUBLIC = ("/", "/health", "/health/ready", "/metrics", "/openapi.json", "/v2", "/model/info")


@pytest.fixture
def proxy(secret_manager_server, proxy_to):
    """Leads to Secret Manager over TLS."""
    return proxy_to(secret_manager_server.secure_port, connect=True)


@pytest.fixture
def identity(tmp_path):
    """The file of a service account with a key of its own."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    file = tmp_path / "service-account.json"
    account = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "1",
        "private_key": pem,
        "client_email": "mlops-api-sa@p.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    file.write_text(json.dumps(account))
    return file


@pytest.fixture
def settings(proxy, secret_manager_server, identity, tmp_path, bundle_folder):
    """The environment of a production service with its keys in Secret Manager."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(secret_manager_server.roots)
    return {
        "ENVIRONMENT": "production",
        "HOST": "127.0.0.1",
        "CORS_ORIGINS": "https://app.example.com",
        "MODEL_DIR": str(bundle_folder),
        "API_KEY_SECRET": f"{LATEST},{BEFORE}",
        "GOOGLE_APPLICATION_CREDENTIALS": str(identity),
        "grpc_proxy": proxy.url,
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(roots),
        "LOG_LEVEL": "DEBUG",
        "RATE_LIMIT_AUTH_FAILURES": "1000000",
    }


@pytest.fixture
def versions(secret_manager_server):
    return secret_manager_server.versions


def test_key_of_a_version_is_let_in_and_a_rotated_one_at_once(start, settings, versions, row):
    versions |= {LATEST: OLD.encode(), BEFORE: REMOVED.encode()}
    with start(**settings) as service:
        service.await_status("/health/ready", 200)
        found = [service.status("/predict", row, key=key) for key in (OLD, REMOVED, None)]
        assert found == [200, 200, 401]
        versions |= {LATEST: NEW.encode(), BEFORE: grpc.StatusCode.FAILED_PRECONDITION}
        found = [service.status("/predict", row, key=key) for key in (NEW, OLD, REMOVED, "guess")]
        assert found == [200, 403, 403, 403]
        assert service.stop() == 0
        assert "Traceback" not in service.output


def test_service_that_reaches_no_secret_is_closed_until_it_does(start, settings, versions, proxy, row):
    versions[LATEST] = OLD.encode()
    proxy.open.clear()
    before = time.monotonic()
    with start(**settings) as service:
        assert time.monotonic() - before < 20
        assert service.status("/health/live") == 200
        assert service.status("/health/ready") == 503
        assert [service.status("/predict", row, key=key) for key in (OLD, "guess", None)] == [503] * 3
        proxy.open.set()
        service.await_status("/health/ready", 200)
        assert [service.status("/predict", row, key=key) for key in (OLD, "guess", None)] == [200, 403, 401]


FAILURES = [
    (b"\xff\xfe" + NEW.encode(), "is no UTF-8 text"),
    (SHORT.encode(), "1 of 1 keys are shorter than 32 characters"),
    (f"{NEW}\x07".encode(), "hold other characters than printable ASCII"),
    (f"{NEW}\n{SHORT}".encode(), "1 of 2 keys are shorter"),
    (b"\n", "holds no key"),
    (grpc.StatusCode.PERMISSION_DENIED, "check the name, and the account's role"),
    (grpc.StatusCode.UNAVAILABLE, "check the name, and the account's role"),
    (grpc.StatusCode.INTERNAL, "check the name, and the account's role"),
    (grpc.StatusCode.NOT_FOUND, "is disabled, or not there"),
]


@pytest.mark.parametrize(("content", "reason"), FAILURES)
def test_secret_is_in_no_output_whatever_fails(start, settings, versions, proxy, row, content, reason):
    """Secrets are in what is read, sent and known, while a reading fails."""
    versions |= {LATEST: content, BEFORE: f"{REMOVED}\n{OLD}".encode()}
    shown = []
    with start(**settings) as service:
        for key in (OLD, NEW, REMOVED, SHORT):
            shown += [service.ask(path, body, key=key) for path in PRIVATE for body in ({"bad": key}, row)]
        proxy.open.clear()
        shown += [service.ask(path) for path in PUBLIC]
        assert service.stop() == 0
        assert any(reason in said for said in service.reasons())
        shown.append(service.output)
    assert [secret for secret in (OLD, NEW, REMOVED, SHORT) if secret in repr(shown)] == []


@pytest.mark.parametrize("faulty", [{"API_KEY": SHORT}, {"API_KEY_SECRET": OLD}, {"API_KEY": f"{OLD}\x07"}])
def test_secret_is_in_no_refusal_to_start(settings, faulty):
    said = refused_start(settings | faulty)
    assert next(iter(faulty)) in said
    assert SHORT not in said
    assert OLD not in said


def refused_start(settings):
    """What a service says that does not start."""
    command = [sys.executable, "-m", "functions.server"]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]} | settings, capture_output=True, timeout=60)
    assert done.returncode != 0
    return (done.stdout + done.stderr).decode()
