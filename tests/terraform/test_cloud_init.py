"""The VM's start, as far as it goes without Google: real cloud-init, systemd, Docker and registry in a container, the
project's real image, and the scripts as they are. Only metadata server, Secret Manager and Storage are played."""

import json
import os
import shutil
import subprocess
import time
import uuid
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "terraform" / "modules" / "fallback-vm" / "cloud-init"
MACHINE = Path(__file__).parent / "machine"
REGISTRY = "europe-west1-docker.pkg.dev"
REPOSITORY = f"{REGISTRY}/iris-test/mlops-repo/iris-api"
GOOGLE = ("metadata.google.internal", "secretmanager.googleapis.com", "storage.googleapis.com")
TOKEN = "token-of-the-vm"  # what machine/google.py gives, and machine/htpasswd knows
KEY, ROTATED = "a" * 40, "b" * 40
ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
# systemd needs its cgroups, Docker the network and mounts, a test the container's files
RIGHTS = (
    "--cap-add=SYS_ADMIN --cap-add=NET_ADMIN --cap-add=SYS_PTRACE "
    "--security-opt=seccomp=unconfined --security-opt=apparmor=unconfined"
)
ROOM = "--cgroupns=host --volume=/sys/fs/cgroup:/sys/fs/cgroup --tmpfs=/run --tmpfs=/tmp --volume=/var/lib/docker"

pytestmark = pytest.mark.terraform


def run(*command, check=True, timeout=600, **options):
    result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)
    if check and result.returncode:
        pytest.fail(f"{' '.join(command)}: {result.returncode}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}")
    return result


def render(terraform, folder, **variables):
    """The module's user-data, rendered by Terraform."""
    values = {
        "api_key_secret": "projects/iris-test/secrets/mlops-api-key",
        "container_port": 8000,
        "environment": {
            "API_KEY_FILE": "/etc/iris-api/keys/api-key",
            "CORS_ORIGINS": "https://app.example.com",
            "ENVIRONMENT": "production",
            "TRUSTED_PROXY_HOPS": "2",
        },
        "host_ports": [8000],
        "image_object": "iris-test-ml-models/deployment/vm-image.txt",
    } | variables
    shutil.copytree(MODULE, folder / "module")
    root = {"module": {"machine": {"source": "./module"} | values}}
    root["output"] = {"user_data": {"value": "${module.machine.user_data}"}}
    (folder / "main.tf.json").write_text(json.dumps(root), encoding="utf-8")
    run(terraform, f"-chdir={folder}", "init", "-input=false")
    run(terraform, f"-chdir={folder}", "apply", "-auto-approve", "-input=false")
    return run(terraform, f"-chdir={folder}", "output", "-raw", "user_data").stdout


def files(user_data):
    return {entry["path"]: entry["content"] for entry in yaml.safe_load(user_data)["write_files"]}


@pytest.fixture(scope="module")
def fallback(find_program, tmp_path_factory):
    """A VM of the group behind the load balancer, with every option that it has there."""
    return render(
        find_program("terraform"),
        tmp_path_factory.mktemp("fallback"),
        failover_settings_object="iris-test-failover/failover/settings.env",
        secret_environment={"RATELIMIT_STORAGE_URI": "projects/iris-test/secrets/iris-api-limits-uri"},
    )


@pytest.fixture(scope="module")
def public(find_program, tmp_path_factory):
    """The public VM with a domain."""
    return render(find_program("terraform"), tmp_path_factory.mktemp("public"), tls_domain="api.example.com")


def test_user_data_starts_what_each_kind_of_vm_needs(fallback, public):
    started = ["mlops-api.service", "mlops-api-keys.timer"]
    for user_data, further in ((fallback, "mlops-failover.timer"), (public, "mlops-caddy.service")):
        assert user_data.startswith("#cloud-config\n")
        commands = yaml.safe_load(user_data)["runcmd"]
        assert commands[0] == ["systemctl", "daemon-reload"]
        assert [command[-1] for command in commands[1:]] == [*started, further]
        units = {Path(path).name for path in files(user_data) if path.startswith("/etc/systemd/system/")}
        assert units >= {*started, further}


def test_rendered_files_have_no_placeholder_left(fallback, public):
    for user_data in (fallback, public):
        for path, content in files(user_data).items():
            if path.startswith("/etc/systemd/system/"):
                assert content.replace("${IMAGE}", "").count("${") == 0, path


def test_scripts_pass_shellcheck(find_program, fallback, tmp_path):
    scripts = []
    for path, content in files(fallback).items():
        if path.endswith(".sh"):
            script = tmp_path / Path(path).name
            script.write_text(content, encoding="utf-8")
            scripts.append(str(script))
    assert {Path(script).name for script in scripts} == {path.name for path in (MODULE / "scripts").iterdir()}
    result = run(find_program("shellcheck"), *scripts, check=False)
    assert result.returncode == 0, result.stdout


@pytest.fixture(scope="module")
def docker(find_program):
    """Runs a command of docker, where an engine is running."""
    path = find_program("docker")
    if run(path, "info", check=False).returncode:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no Docker engine is running")
    return lambda *words, **options: run(path, *words, **options)


@pytest.fixture(scope="module")
def machine_image(docker):
    name = f"iris-vm-test-{uuid.uuid4().hex[:8]}"
    build(docker, name, MACHINE)
    yield name
    docker("image", "rm", "--force", name)


def build(docker, name, context):
    flags = os.environ.get("DOCKER_BUILD_FLAGS", "").split()
    docker("build", "--quiet", *flags, "--tag", name, str(context), env={**os.environ, "DOCKER_BUILDKIT": "1"})


@pytest.fixture(scope="module")
def service_image(docker, bundle_folder, tmp_path_factory):
    """The project's own image around a really trained model."""
    context = tmp_path_factory.mktemp("image")
    for name in ("Dockerfile", ".dockerignore", "requirements", "functions"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, context / name)
    shutil.copytree(bundle_folder, context / "models")
    name = f"iris-api-vm-test-{uuid.uuid4().hex[:8]}"
    build(docker, name, context)
    yield name
    docker("image", "rm", "--force", name)


class Machine:
    """A VM in a container, and what it finds of Google: a folder of its data, and the containers that play it."""

    def __init__(self, docker, name, google, played):
        self.docker, self.name, self.google, self.played = docker, name, google, played
        self.digests = {}

    def run(self, *command, **options):
        return self.docker("exec", self.name, *command, **options)

    def shell(self, script, **options):
        return self.run("bash", "-c", script, **options).stdout

    def secret(self, name, value):
        path = self.google / "secrets" / "iris-test" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value, encoding="utf-8")

    def object(self, name, value):
        path = self.google / "objects" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value, encoding="utf-8")

    def ask(self, path, *options):
        """Status and body of the service's answer on the machine's own port."""
        command = f"curl -s -m 10 -w '\\n%{{http_code}}' {' '.join(options)} http://localhost:8000{path} || true"
        body, _, status = self.shell(command).rpartition("\n")
        return int(status or 0), body

    def wait_until_ready(self, seconds=180):
        deadline = time.monotonic() + seconds
        while self.ask("/health/ready")[0] != 200:
            if time.monotonic() > deadline:
                pytest.fail(self.shell("cat /var/log/startup.log; journalctl --no-pager -u mlops-api | tail -40"))
            time.sleep(1)

    def image(self):
        """The image, by digest, that the container runs."""
        return json.loads(self.run("docker", "inspect", "iris-api").stdout)[0]["Config"]["Image"]


@pytest.fixture(scope="module")
def start(docker, machine_image):
    """Starts a container in a network of its own, and gives its name; all go at the end."""
    network = f"iris-vm-test-{uuid.uuid4().hex[:8]}"
    docker("network", "create", network)
    started = []

    def run_container(*options, program=()):
        started.append(f"{network}-{len(started)}")
        entrypoint = ["--entrypoint", program[0]] if program else []
        docker(
            *("run", "--detach", "--name", started[-1], "--network", network),
            *(*options, *entrypoint, machine_image, *program[1:]),
        )
        return started[-1]

    yield run_container
    docker("rm", "--force", "--volumes", *started, check=False)
    docker("network", "rm", network, check=False)


@pytest.fixture(scope="module")
def machine(find_program, docker, start, service_image, fallback, tmp_path_factory):
    """A machine that has booted with the user-data, and pulled the service's image from the registry."""
    folder = tmp_path_factory.mktemp("machine")
    for name in ("google", "tls", "boot"):
        (folder / name).mkdir()
    names = "subjectAltName=" + ",".join(f"DNS:{name}" for name in (REGISTRY, *GOOGLE))
    run(
        *(find_program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", "/CN=stand-in", "-addext", names),
        *("-keyout", str(folder / "tls" / "server.key"), "-out", str(folder / "tls" / "server.crt")),
    )
    (folder / "boot" / "user-data").write_text(fallback, encoding="utf-8")
    (folder / "boot" / "meta-data").write_text("instance-id: iris-api-server-test\n", encoding="utf-8")
    played = [f"--volume={folder}/tls:/tls:ro", f"--volume={MACHINE}:/machine:ro"]
    google = start(
        *(*played, f"--volume={folder}/google:/google:ro", *(f"--network-alias={name}" for name in GOOGLE)),
        program=("python3", "/machine/google.py"),
    )
    registry = start(
        *(*played, f"--network-alias={REGISTRY}"), program=("docker-registry", "serve", "/machine/registry.yml")
    )
    vm = start(
        *(*RIGHTS.split(), *ROOM.split()),
        f"--volume={folder}/tls/server.crt:/usr/local/share/ca-certificates/stand-in.crt:ro",
        f"--volume={folder}/boot:/var/lib/cloud/seed/nocloud:ro",
    )
    machine = Machine(docker, vm, folder / "google", [google, registry])
    boot(machine, service_image)
    return machine


def boot(vm, service_image):
    """Publish the image as Cloud Build does, then start the machine as its maker does."""
    wait_for(vm, "systemctl is-system-running --wait")
    vm.shell("update-ca-certificates && systemctl restart docker")
    archive = f"{vm.google.parent}/image.tar"
    vm.docker("save", "--output", archive, service_image)
    vm.docker("cp", archive, f"{vm.name}:/image.tar")
    vm.shell(f"docker load --quiet --input /image.tar && rm /image.tar && docker tag {service_image} {REPOSITORY}:1")
    # the same image once more, with another digest
    vm.shell(f"printf 'FROM {service_image}\\nLABEL roll=2\\n' | docker build --quiet --tag {REPOSITORY}:2 -")
    vm.shell(f"docker login --username oauth2accesstoken --password-stdin {REGISTRY} <<<{TOKEN}")
    for tag in ("1", "2"):
        vm.shell(f"docker push --quiet {REPOSITORY}:{tag}")
        vm.digests[tag] = vm.shell(f"docker inspect --format '{{{{index .RepoDigests 0}}}}' {REPOSITORY}:{tag}").strip()
    vm.shell(f"docker logout {REGISTRY} && docker image prune --all --force")
    vm.secret("mlops-api-key", KEY + "\n")
    vm.secret("iris-api-limits-uri", "memory://")
    vm.object("iris-test-ml-models/deployment/vm-image.txt", vm.digests["1"] + "\n")
    vm.object("iris-test-failover/failover/settings.env", "FAILOVER_ACTIVE_BACKEND=vm\n")
    vm.shell("cloud-init init && cloud-init modules --mode config && cloud-init modules --mode final")
    vm.wait_until_ready()


def wait_for(vm, script, seconds=60):
    deadline = time.monotonic() + seconds
    while vm.run("bash", "-c", script, check=False).returncode:
        assert time.monotonic() < deadline, script
        time.sleep(1)


def test_cloud_init_takes_the_user_data(machine):
    machine.run("cloud-init", "schema", "--config-file", "/var/lib/cloud/seed/nocloud/user-data")


def test_units_pass_systemd_analyze(machine, public):
    caddy = files(public)["/etc/systemd/system/mlops-caddy.service"]
    machine.docker("exec", "--interactive", machine.name, "tee", "/etc/systemd/system/mlops-caddy.service", input=caddy)
    result = machine.run("bash", "-c", "systemd-analyze verify --man=no /etc/systemd/system/mlops-*", check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_caddy_takes_its_configuration(machine, public):
    content = files(public)["/var/lib/mlops-api/Caddyfile"]
    machine.docker("exec", "--interactive", machine.name, "tee", "/tmp/Caddyfile", input=content)
    machine.run("caddy", "validate", "--adapter", "caddyfile", "--config", "/tmp/Caddyfile")


def test_booted_machine_predicts_with_the_key_alone(machine):
    options = ("--json", f"'{json.dumps(ROW)}'")
    assert machine.ask("/predict", *options)[0] == 401
    assert machine.ask("/predict", *options, "-H", f"X-API-Key:{ROTATED}")[0] == 403
    status, body = machine.ask("/predict", *options, "-H", f"X-API-Key:{KEY}")
    assert (status, json.loads(body)["prediction"]) == (200, "setosa")
    assert machine.image() == machine.digests["1"]


def test_container_may_do_nothing_but_its_work(machine):
    container = json.loads(machine.run("docker", "inspect", "iris-api").stdout)[0]
    assert container["HostConfig"]["ReadonlyRootfs"] is True
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert container["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]
    assert container["Config"]["User"].startswith("10001")


def test_secrets_are_in_memory_and_for_their_reader_alone(machine):
    assert machine.shell("stat --format='%a %u' /run/mlops-api/keys/api-key") == "600 10001\n"
    assert machine.shell("stat --format='%a %u' /run/mlops-api/secrets.env") == "600 0\n"
    assert machine.shell("findmnt --noheadings --output FSTYPE --target /run/mlops-api/keys") == "tmpfs\n"
    assert machine.shell(f"grep --recursive --files-with-matches {KEY} /var/lib/mlops-api /var/log || true") == ""


def test_startup_log_tells_the_story_without_a_secret(machine):
    log = machine.shell("cat /var/log/startup.log")
    assert "API keys from projects/iris-test/secrets/mlops-api-key" in log
    assert f"image {machine.digests['1']}" in log
    assert "ready to run the container" in log
    assert KEY not in log
    assert TOKEN not in log
    assert machine.shell("stat --format=%a /var/log/startup.log") == "644\n"


def test_rotated_key_opens_the_running_service(machine):
    started = machine.shell("docker inspect --format '{{.State.StartedAt}}' iris-api")
    machine.secret("mlops-api-key", f"{KEY}\n{ROTATED}\n")
    machine.run("systemctl", "start", "mlops-api-keys.service")
    options = ("--json", f"'{json.dumps(ROW)}'", "-H")
    for _ in range(9):  # it reads again for a refused key once a minute, and shuts out who sends more than ten
        status, _ = machine.ask("/predict", *options, f"X-API-Key:{ROTATED}")
        if status == 200:
            break
        time.sleep(10)
    assert status == 200
    assert machine.ask("/predict", *options, f"X-API-Key:{KEY}")[0] == 200
    assert machine.shell("docker inspect --format '{{.State.StartedAt}}' iris-api") == started


def test_timers_are_waiting(machine):
    timers = machine.shell("systemctl list-timers --no-pager --no-legend")
    assert "mlops-api-keys.timer" in timers
    assert "mlops-failover.timer" in timers


def test_crashed_container_is_started_again(machine):
    machine.run("docker", "kill", "iris-api")
    wait_for(machine, "systemctl show mlops-api --property=NRestarts | grep --invert-match --quiet '=0'")
    machine.wait_until_ready()


def test_failover_gets_the_newest_settings_and_keeps_them(machine):
    fetch = "set -a; source /var/lib/mlops-api/vm.env; bash /var/lib/mlops-api/fetch-failover-settings.sh"
    machine.shell(fetch)
    assert machine.shell("cat /var/lib/mlops-api/failover.env") == "FAILOVER_ACTIVE_BACKEND=vm\n"
    machine.object("iris-test-failover/failover/settings.env", "FAILOVER_ACTIVE_BACKEND=auto\n")
    machine.shell(fetch)
    assert machine.shell("cat /var/lib/mlops-api/failover.env") == "FAILOVER_ACTIVE_BACKEND=auto\n"
    (machine.google / "objects/iris-test-failover/failover/settings.env").unlink()
    machine.shell(fetch)
    assert machine.shell("cat /var/lib/mlops-api/failover.env") == "FAILOVER_ACTIVE_BACKEND=auto\n"


def test_start_without_an_image_says_what_is_missing(machine):
    named = machine.google / "objects/iris-test-ml-models/deployment/vm-image.txt"
    named.rename(named.with_suffix(".away"))
    machine.shell("mv /var/lib/mlops-api/image /var/lib/mlops-api/image.away")
    prepare = "set -a; source /var/lib/mlops-api/vm.env; bash /var/lib/mlops-api/prepare.sh"
    result = machine.run("bash", "-c", prepare, check=False)
    assert result.returncode != 0
    missing = "no image is known: gs://iris-test-ml-models/deployment/vm-image.txt has to name one"
    assert missing in result.stdout
    assert missing in machine.shell("tail --lines=1 /var/log/startup.log")
    named.with_suffix(".away").rename(named)
    machine.shell("mv /var/lib/mlops-api/image.away /var/lib/mlops-api/image")


def test_restarted_unit_takes_the_image_that_was_rolled_out(machine):
    machine.object("iris-test-ml-models/deployment/vm-image.txt", machine.digests["2"] + "\n")
    machine.run("systemctl", "restart", "mlops-api")
    machine.wait_until_ready()
    assert machine.image() == machine.digests["2"]
    assert machine.digests["1"] not in machine.shell("docker images --digests --format '{{.Repository}}@{{.Digest}}'")


def test_restarted_unit_goes_on_when_google_is_down(machine):
    machine.docker("stop", "--time", "1", *machine.played)
    machine.run("systemctl", "restart", "mlops-api")
    machine.wait_until_ready()
    assert machine.image() == machine.digests["2"]
    assert "the image can't be pulled" in machine.shell("tail --lines=15 /var/log/startup.log")
    options = ("--json", f"'{json.dumps(ROW)}'", "-H", f"X-API-Key:{ROTATED}")
    assert machine.ask("/predict", *options)[0] == 200
