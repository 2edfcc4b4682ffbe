"""What make k8s-* do. There is no cluster here: a stand-in of kubectl notes what it is asked, and renders for real."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.k8s.cluster import free_port, wait_until
from tests.k8s.manifests import K8S, ROOT, program

pytestmark = pytest.mark.k8s

KEY = "0123456789abcdef0123456789abcdef"
COMMANDS = ("setup", "setup-kind", "deploy", "status", "logs", "port-forward", "predict", "delete", "clean")
PLUGIN = "gke-gcloud-auth-plugin"
TOOLS = {"setup": "minikube", "setup-kind": "kind"} | dict.fromkeys(COMMANDS[2:8], "kubectl") | {"clean": "minikube"}

STAND_IN = """#!/bin/sh
printf '%s\\n' "$(basename "$0") $*" >>"$NOTES"
case "$(basename "$0") $*" in
  "kubectl kustomize "*) exec {kubectl} "$@" ;;
  "kubectl config view --minify "*) echo "$CLUSTER" ;;
  "kubectl apply "*) cat >"$APPLIED" ;;
  "kubectl delete "*) cat >"$APPLIED" ;;
  "kubectl --namespace mlops exec "*) echo "$KEY" ;;
  "kubectl --namespace mlops port-forward "*) echo "Forwarding from 127.0.0.1:$SERVED -> 8000"; exec sleep 60 ;;
  "docker image inspect "*) if [ "$IMAGE_ID" ]; then echo "$IMAGE_ID"; else echo; exit 1; fi ;;
  "kind get clusters") echo "$CLUSTERS" ;;
esac
"""


class Machine:
    """A copy of k8s/ and a PATH with stand-ins for the tools that would reach a cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tools = folder / "tools"
        self.notes = folder / "notes"
        self.applied = folder / "applied.yaml"
        self.variables = {"CLUSTER": "kind-mlops", "IMAGE_ID": "sha256:" + "ab" * 32, "KEY": KEY}
        shutil.copytree(K8S, folder / "k8s", ignore=shutil.ignore_patterns("secret.yaml"))
        self.tools.mkdir()
        for name in ("bash", "sed", "grep", "dirname", "basename", "cat", "sleep", "openssl", "sh", "env"):
            (self.tools / name).symlink_to(program(name, f"apt-get install {name}"))
        (self.tools / "python3").symlink_to(sys.executable)

    def add(self, *names: str) -> None:
        kubectl = program("kubectl", "https://kubernetes.io/docs/tasks/tools/")
        for name in names:
            path = self.tools / name
            path.write_text(STAND_IN.replace("{kubectl}", kubectl))
            path.chmod(0o755)

    def run(self, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.tools), "NOTES": str(self.notes), "APPLIED": str(self.applied)}
        environment |= self.variables | variables
        script = self.folder / "k8s" / "cluster.sh"
        return subprocess.run(
            [script, command], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    def noted(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_tool_is_named_with_where_to_get_it(machine, command):
    result = machine.run(command)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: there is no {TOOLS[command]} here; install it: https://")


@pytest.mark.parametrize("command", ["deploy", "status", "logs", "port-forward", "predict", "delete"])
def test_missing_plugin_by_which_kubectl_logs_in_to_gke_is_named(machine, command):
    machine.add("kubectl")
    result = machine.run(command, K8S_OVERLAY="gke")
    assert result.returncode == 1
    assert "no gke-gcloud-auth-plugin here; install it: gcloud components install " in result.stderr
    assert machine.noted() == []


def test_each_make_target_runs_a_command_of_the_script():
    dry = [("predict" if command == "predict" else command) for command in COMMANDS]
    for command in dry:
        target = {"predict": "k8s-test"}.get(command, f"k8s-{command}")
        done = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
        )
        assert done.stdout.strip() == f"k8s/cluster.sh {command}"


def test_unknown_command_is_refused(machine):
    result = machine.run("explode")
    assert result.returncode == 1
    assert "usage: k8s/cluster.sh setup|" in result.stderr


def test_local_clusters_heed_network_policies_and_are_found_again(machine):
    machine.add("minikube", "kind")
    assert machine.run("setup").returncode == 0
    assert machine.run("setup-kind").returncode == 0
    assert machine.noted() == [
        "minikube start --profile mlops --cni calico --addons metrics-server",
        "kind create cluster --name mlops --wait 120s",
    ]


@pytest.mark.parametrize(
    ("cluster", "loading"),
    [
        ("kind-mlops", "kind load docker-image iris-api:abababababab --name mlops"),
        ("mlops", "minikube --profile mlops image load iris-api:abababababab"),
    ],
)
def test_deploy_loads_the_image_applies_it_under_its_own_tag_and_waits(machine, cluster, loading):
    machine.add("kubectl", "docker", "kind", "minikube")
    result = machine.run("deploy", CLUSTER=cluster)
    assert result.returncode == 0, result.stderr
    notes = machine.noted()
    assert notes.index("docker tag iris-api iris-api:abababababab") < notes.index(loading)
    assert notes.index(loading) < notes.index("kubectl apply --filename -")
    assert notes[-1] == "kubectl --namespace mlops rollout status deployment/iris-api --timeout 300s"
    [deployment] = [one for one in yaml.safe_load_all(machine.applied.read_text()) if one["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "iris-api:abababababab"


def test_deploy_makes_a_secret_once_with_a_key_of_its_own(machine):
    machine.add("kubectl", "docker", "kind")
    secret = machine.folder / "k8s" / "secret.yaml"
    assert "secret.yaml: made" in machine.run("deploy").stdout
    text = secret.read_text()
    [literal] = yaml.safe_load(text)["literals"]
    assert len(literal.removeprefix("api-key=")) == 64
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert machine.run("deploy").returncode == 0
    assert secret.read_text() == text


def test_deploy_without_an_image_says_how_to_make_it(machine):
    machine.add("kubectl", "docker", "kind")
    result = machine.run("deploy", IMAGE_ID="")
    assert result.returncode == 1
    assert "there is no image iris-api; run make build" in result.stderr
    assert not machine.applied.exists()


@pytest.mark.parametrize("command", ["deploy", "delete"])
@pytest.mark.parametrize(
    ("overlay", "cluster"),
    [
        ("local", "gke_iris-prod_europe-west1_mlops"),
        ("local", ""),
        ("gke", "gke_iris-test_europe-west1_mlops"),
        ("gke", "kind-mlops"),
        ("gke", ""),
    ],
)
def test_nothing_is_done_to_another_cluster(machine, own_names, command, overlay, cluster):
    machine.add("kubectl", "docker", "kind", "minikube", PLUGIN)
    own_names()
    result = machine.run(command, K8S_OVERLAY=overlay, CLUSTER=cluster)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: kubectl's cluster is '{cluster}', not ")
    assert not machine.applied.exists()


def test_secret_of_another_form_is_refused_with_the_remedy(machine):
    machine.add("kubectl", "docker", "kind")
    (machine.folder / "k8s" / "secret.yaml").write_text("apiVersion: v1\nkind: Secret\nstringData:\n  API_KEY: abc\n")
    result = machine.run("deploy")
    assert result.returncode == 1
    assert result.stderr.startswith("error: k8s/secret.yaml is no SecretGenerator")
    assert "k8s/secret.yaml.example" in result.stderr
    assert not machine.applied.exists()


def test_deploy_to_gke_refuses_the_names_of_the_example(machine):
    machine.add("kubectl", PLUGIN)
    result = machine.run("deploy", K8S_OVERLAY="gke", CLUSTER="gke_my-project_europe-west1_mlops")
    assert result.returncode == 1
    assert "my-project or example.com" in result.stderr
    assert not machine.applied.exists()


@pytest.fixture
def own_names(machine):
    """Puts a project's names in the place of the example's."""

    def replace(project: str = "iris-prod") -> None:
        for path in (machine.folder / "k8s").rglob("*"):
            if path.suffix in (".yaml", ".env"):
                text = path.read_text()
                path.write_text(text.replace("my-project", project).replace("example.com", "iris.dev"))

    return replace


@pytest.mark.parametrize("project", ["iris-prod", "my-project-123"])
def test_deploy_to_gke_applies_the_overlay_as_it_is(machine, own_names, project):
    machine.add("kubectl", PLUGIN)
    own_names(project)
    result = machine.run("deploy", K8S_OVERLAY="gke", CLUSTER=f"gke_{project}_europe-west1_mlops")
    assert result.returncode == 0, result.stderr
    assert f"europe-west1-docker.pkg.dev/{project}/mlops-repo/iris-api:" in machine.applied.read_text()


def test_unknown_overlay_is_refused(machine):
    machine.add("kubectl")
    assert "K8S_OVERLAY is local or gke" in machine.run("deploy", K8S_OVERLAY="prod").stderr


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("status", "get deployments,pods,services,"),
        ("logs", "logs --selector app.kubernetes.io/name=iris-api "),
        ("port-forward", "port-forward service/iris-api 9000:http"),
    ],
)
def test_looking_at_the_cluster_asks_in_the_namespace(machine, command, asked):
    machine.add("kubectl")
    environment = {"PORT": "9000", "SERVED": "9000"}
    if command == "port-forward":
        (machine.tools / "sleep").unlink()
        (machine.tools / "sleep").symlink_to("/bin/true")
    assert machine.run(command, **environment).returncode == 0
    [note] = machine.noted()
    assert note.startswith(f"kubectl --namespace mlops {asked}")


def test_delete_removes_what_deploy_applied(machine):
    machine.add("kubectl", "docker", "kind")
    machine.run("deploy")
    applied = machine.applied.read_text()
    assert machine.run("delete").returncode == 0
    assert "kubectl delete --ignore-not-found --filename -" in machine.noted()
    assert machine.applied.read_text() == applied.replace("iris-api:abababababab", "iris-api:local")


def test_clean_deletes_the_cluster_that_is_there(machine):
    machine.add("kind")
    assert machine.run("clean", CLUSTERS="mlops").returncode == 0
    assert machine.noted()[-1] == "kind delete cluster --name mlops"
    assert "there is no local cluster mlops" in machine.run("clean", CLUSTERS="other").stdout


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def served(bundle_folder):
    """Port of the service, as a port-forward would give it."""
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "MODEL_DIR": str(bundle_folder), "PORT": str(port), "API_KEY": KEY}
    server = subprocess.Popen([sys.executable, "-m", "functions.server"], cwd=ROOT, env=environment)
    wait_until(lambda: listens(port), "the service starts")
    yield port
    server.terminate()
    server.wait(timeout=20)


def test_k8s_test_predicts_through_the_service_and_prints_it(machine, served, bundle_folder):
    machine.add("kubectl")
    result = machine.run("predict", SERVED=str(served))
    assert result.returncode == 0, result.stderr
    asked, answered = result.stdout.splitlines()
    example = json.loads((bundle_folder / "metadata.json").read_text())["golden_examples"][0]
    assert json.loads(asked.removeprefix("POST /predict ")) == example["instance"]
    assert json.loads(answered.removeprefix("200 "))["prediction"] == example["prediction"]
    assert "kubectl --namespace mlops port-forward service/iris-api :http" in machine.noted()


def test_k8s_test_fails_with_what_it_got_instead_of_a_prediction(machine, served):
    machine.add("kubectl")
    result = machine.run("predict", SERVED=str(served), KEY="f" * 32)
    assert result.returncode == 1
    assert result.stdout.splitlines()[1].startswith("403 ")
    assert "that is no prediction" in result.stderr


def test_k8s_test_says_when_the_service_does_not_answer(machine):
    machine.add("kubectl")
    result = machine.run("predict", SERVED=str(free_port()))
    assert result.returncode == 1
    assert result.stderr.startswith("error: the service does not answer")


def test_k8s_test_says_when_something_else_answers(machine):
    machine.add("kubectl")
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(machine.tools), str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as other:
        wait_until(lambda: listens(port), "the other server starts")
        result = machine.run("predict", SERVED=str(port))
        other.terminate()
    assert result.returncode == 1
    assert result.stderr.startswith("error: the service answers 404 without JSON")


@pytest.mark.parametrize("script", ["cluster.sh", "components/retrain/retrain.sh"])
def test_shellcheck_finds_nothing(script):
    shellcheck = program("shellcheck", "apt-get install shellcheck")
    done = subprocess.run([shellcheck, K8S / script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
