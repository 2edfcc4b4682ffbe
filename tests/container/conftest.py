"""Both images, built once around a really trained model, and containers of them in a real engine."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = ("Dockerfile", ".dockerignore", ".dvcignore", "requirements", "dvc.yaml")
LABELS = {"version": "1.2.3", "revision": "0123456789abcdef", "source": "https://example.com/iris-api"}
HARDENED = ["--read-only", "--user", "10001", "--cap-drop", "ALL", "--memory", "256m", "--cpus", "1"]
START_SECONDS = 30


def run(*command, check=True, timeout=600, **options):
    """Run a program and give what it printed; a failure shows it."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)
    if check and result.returncode:
        pytest.fail(f"{' '.join(command)}: {result.returncode}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}")
    return result


def require(name):
    """A program that users may lack; CI may not."""
    if shutil.which(name) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI has no {name}")
        pytest.skip(f"{name} is not installed")


@pytest.fixture(scope="session")
def docker():
    """Run a command of docker."""
    require("docker")
    if run("docker", "info", check=False).returncode:
        if os.environ.get("CI") == "true":
            pytest.fail("CI has no Docker engine")
        pytest.skip("no Docker engine is running")
    return lambda *words, **options: run("docker", *words, **options)


@pytest.fixture(scope="session")
def project(trained_project):
    """The trained project with all that images and stack are made of beside it."""
    for name in (*CONTEXT, "compose.yaml", "monitoring"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, trained_project / name)
    (trained_project / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", trained_project / ".dvc" / "config")
    return trained_project


@pytest.fixture(scope="session")
def build(docker, project):
    """Build an image, give its name, and remove it at the end."""
    built = []

    def make(*options, context=project):
        name = f"iris-api-test-{uuid.uuid4().hex[:12]}"
        flags = os.environ.get("DOCKER_BUILD_FLAGS", "").split()
        docker("build", *flags, "--tag", name, *options, str(context), env={**os.environ, "DOCKER_BUILDKIT": "1"})
        built.append(name)
        return name

    yield make
    if built:
        docker("image", "rm", "--force", *built)


@pytest.fixture(scope="session")
def image(build):
    """The serving image."""
    return build(*[word for name, value in LABELS.items() for word in ("--build-arg", f"{name.upper()}={value}")])


@pytest.fixture(scope="session")
def labels():
    """What the serving image was told of itself."""
    return LABELS


@pytest.fixture(scope="session")
def pipeline_image(build):
    """The image of the training side."""
    return build("--target", "pipeline")


@pytest.fixture(scope="session")
def inspect(docker):
    """What the engine knows of an image or container."""
    return lambda name: json.loads(docker("inspect", name).stdout)[0]


@pytest.fixture(scope="session")
def base():
    """The image that ours are built on."""
    return re.search(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)[1]


@pytest.fixture(scope="session")
def row(bundle_folder):
    """A row of the training data."""
    return json.loads((bundle_folder / "metadata.json").read_bytes())["golden_examples"][0]["instance"]


class Container:
    """A running container, and how to reach what listens in it."""

    def __init__(self, docker, name, port):
        self.docker, self.name, self.port = docker, name, port

    def ask(self, path, body=None, **headers):
        """Send a request, and give status and body."""
        data = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if data else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, kind | headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def await_answer(self, path, *words, seconds=START_SECONDS, **headers):
        """Ask until something answers at all, whatever it says."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.ask(path, *words, **headers)
            except OSError:
                if time.monotonic() > deadline:
                    pytest.fail(f"{path} is not answered:\n{self.logs()}")
                time.sleep(0.01)

    def execute(self, *command, **options):
        """Run a program in the container, and give what it printed."""
        return self.docker("exec", self.name, *command, **options).stdout

    def logs(self):
        """Everything that it has printed."""
        result = self.docker("logs", self.name)
        return result.stdout + result.stderr


@pytest.fixture(scope="session")
def reach(docker):
    """Reach what listens in a running container."""
    return lambda name, port: Container(docker, name, port)


@pytest.fixture(scope="session")
def free_ports():
    """So many ports of the loopback address that nobody listens on."""

    def find(number):
        probes = [socket.socket() for _ in range(number)]
        try:
            for probe in probes:
                probe.bind(("127.0.0.1", 0))
            return [probe.getsockname()[1] for probe in probes]
        finally:
            for probe in probes:
                probe.close()

    return find


@pytest.fixture
def start(docker, image, reach, free_ports):
    """Start a container of the serving image, hardened as in production, and remove it at the end."""

    @contextmanager
    def started(*options, inside=8000, publish=True):
        name, (port,) = f"iris-api-test-{uuid.uuid4().hex[:12]}", free_ports(1)
        network = ["--publish", f"127.0.0.1:{port}:{inside}"] if publish else ["--env", f"PORT={port}"]
        docker("run", "--detach", "--name", name, *HARDENED, *network, *options, image)
        try:
            yield reach(name, port)
        finally:
            docker("rm", "--force", "--volumes", name)

    return started
