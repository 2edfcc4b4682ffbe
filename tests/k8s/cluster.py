"""A kubelet, an endpoints controller and a Deployment controller in small, over a real engine and load balancer.

They act by the values of the rendered manifests: startup and readiness probe, grace, preStop, surge.
Pods are containers of the real image on the host's network, each on its own port of the loopback
address; HAProxy is told of ready and of leaving pods through its runtime API, as late as a slow cluster
would tell it.
"""

import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.k8s.manifests import Resource, pod_template

SLOTS = 8
RELIST_SECONDS = 1.0
"""How often the kubelet looks whether containers still run (PLEG)."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=120, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.05)


@dataclass
class Pod:
    """One replica, watched by its kubelet as the pod's spec says."""

    spec: Resource
    image: str
    environment: dict[str, str]
    keys: Path
    port: int = field(default_factory=free_port)
    name: str = field(default_factory=lambda: f"rollout-{uuid.uuid4().hex[:10]}")
    terminating: bool = False
    ready_since: float | None = None
    exit_code: int | None = None
    seconds_to_end: float = 0.0

    @property
    def container(self) -> Resource:
        only: Resource = self.spec["containers"][0]
        return only

    def start(self) -> None:
        limits = self.container["resources"]["limits"]
        security = self.spec["securityContext"]
        [keys] = [mount["mountPath"] for mount in self.container["volumeMounts"] if mount["name"] == "keys"]
        variables = self.environment | {"PORT": str(self.port), "HOST": "127.0.0.1"}
        docker(
            *("run", "--detach", "--name", self.name, "--network", "host", "--read-only", "--cap-drop", "ALL"),
            *("--user", f"{security['runAsUser']}:{security['runAsGroup']}", "--security-opt", "no-new-privileges"),
            *("--memory", limits["memory"].removesuffix("i").lower(), "--cpus", limits["cpu"]),
            *("--volume", f"{self.keys}:{keys}:ro", "--tmpfs", "/tmp"),
            *(word for name, value in variables.items() for word in ("--env", f"{name}={value}")),
            self.image,
        )
        threading.Thread(target=self._watch, daemon=True).start()

    def available(self, seconds: float) -> bool:
        """Whether the pod has been ready for so long."""
        since = self.ready_since
        return not self.terminating and since is not None and time.monotonic() - since >= seconds

    def terminate(self) -> None:
        """What the kubelet does with a deleted pod: preStop, SIGTERM, and SIGKILL when the grace is over."""
        started = time.monotonic()
        self.terminating = True
        time.sleep(self.container["lifecycle"]["preStop"]["sleep"]["seconds"])
        left = self.spec["terminationGracePeriodSeconds"] - (time.monotonic() - started)
        docker("stop", "--time", str(max(0, round(left))), self.name)
        self.exit_code = int(docker("inspect", "--format", "{{.State.ExitCode}}", self.name))
        self.seconds_to_end = time.monotonic() - started

    def crash(self) -> None:
        docker("kill", "--signal", "KILL", self.name)

    def remove(self) -> None:
        self.terminating = True
        docker("rm", "--force", self.name, check=False)

    def _watch(self) -> None:
        """Probe until the pod is deleted; a container that has ended is started again."""
        while not self.terminating:
            self._until_started()
            self._until_it_ends()
            self.ready_since = None
            if not self.terminating:
                docker("start", self.name, check=False)

    def _until_started(self) -> None:
        probe = self.container["startupProbe"]
        for _ in range(probe["failureThreshold"]):
            if self.terminating or self._answers(probe):
                return
            time.sleep(probe["periodSeconds"])

    def _until_it_ends(self) -> None:
        probe = self.container["readinessProbe"]
        failures, relist, due = 0, time.monotonic(), time.monotonic()
        while not self.terminating:
            now = time.monotonic()
            if now >= relist:
                if docker("inspect", "--format", "{{.State.Running}}", self.name, check=False) != "true":
                    return
                relist = now + RELIST_SECONDS
            if now >= due:
                failures = 0 if self._answers(probe) else failures + 1
                if failures == 0 and self.ready_since is None:
                    self.ready_since = now
                if failures >= probe["failureThreshold"]:
                    self.ready_since = None
                due = now + probe["periodSeconds"]
            time.sleep(0.05)

    def _answers(self, probe: Resource) -> bool:
        url = f"http://127.0.0.1:{self.port}{probe['httpGet']['path']}"
        try:
            with urllib.request.urlopen(url, timeout=probe["timeoutSeconds"]) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class LoadBalancer:
    """HAProxy, with the pods in its slots."""

    def __init__(self, folder: Path, retries: int) -> None:
        self.port = free_port()
        self._socket = folder / "haproxy.sock"
        self._slots: dict[str, str] = {}
        configuration = folder / "haproxy.cfg"
        configuration.write_text(
            f"""
global
  stats socket {self._socket} level admin
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  retries {retries}
  {"option" if retries else "no option"} redispatch 1
frontend service
  bind 127.0.0.1:{self.port}
  default_backend pods
backend pods
  balance roundrobin
  server-template pod 1-{SLOTS} 127.0.0.1:9 disabled
"""
        )
        self.process = subprocess.Popen(["haproxy", "-db", "-f", str(configuration)])
        wait_until(self._socket.exists, "HAProxy starts", 20)

    def add(self, pod: Pod) -> None:
        taken = set(self._slots.values())
        slot = next(f"pods/pod{number}" for number in range(1, SLOTS + 1) if f"pods/pod{number}" not in taken)
        self._slots[pod.name] = slot
        self._tell(f"set server {slot} addr 127.0.0.1 port {pod.port}")
        self._tell(f"set server {slot} state ready")

    def drain(self, pod: Pod) -> None:
        """Send the pod nothing more; what it is answering goes on."""
        self._tell(f"set server {self._slots[pod.name]} state drain")

    def forget(self, pod: Pod) -> None:
        self._tell(f"set server {self._slots.pop(pod.name)} state maint")

    def _tell(self, command: str) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._socket))
            connection.sendall(f"{command}\n".encode())
            answer = connection.recv(4096).decode().strip()
        assert not answer or "changed" in answer or "no need" in answer, f"{command}: {answer}"


class Cluster:
    """A Deployment with its pods, and the endpoints that a load balancer hears of after `delay` seconds."""

    def __init__(
        self, deployment: Resource, balancer: LoadBalancer, delay: float, make_pod: Callable[..., Pod]
    ) -> None:
        self._deployment = deployment["spec"]
        self._spec = pod_template(deployment)["spec"]
        self._balancer = balancer
        self._delay = delay
        self._make_pod = make_pod
        self._stop = threading.Event()
        self._faults: list[BaseException] = []
        self._endings: list[threading.Thread] = []
        self.pods: list[Pod] = []
        self._controller = threading.Thread(target=self._guarded, args=(self._control_endpoints,), daemon=True)
        self._controller.start()

    def current(self) -> list[Pod]:
        return [pod for pod in self.pods if not pod.terminating]

    def scale(self, replicas: int, **variables: str) -> None:
        """Start or end pods until there are so many, and wait until that is done."""
        while len(self.current()) > replicas:
            self._end(self.current()[0])
        while len(self.current()) < replicas:
            self._begin(**variables)
        wait_until(lambda: all(pod.available(0) for pod in self.current()), "replicas are ready")
        self._wait_for_endings()
        # whoever asks next finds the load balancer informed
        time.sleep(self._delay + 0.5)

    def roll_out(self, **variables: str) -> None:
        """Replace every pod, as the Deployment's strategy says."""
        old = self.current()
        replicas = len(old)
        strategy = self._deployment["strategy"]["rollingUpdate"]
        surge, missing = strategy["maxSurge"], strategy["maxUnavailable"]
        seconds = self._deployment["minReadySeconds"]
        fresh: list[Pod] = []
        while old or len(fresh) < replicas or not all(pod.available(seconds) for pod in fresh):
            while len(fresh) < replicas and len(old) + len(fresh) < replicas + surge:
                fresh.append(self._begin(**variables))
            available = sum(pod.available(seconds) for pod in old + fresh)
            while old and available > replicas - missing:
                self._end(old.pop(0))
                available -= 1
            self.check()
            time.sleep(0.1)
        self._wait_for_endings()

    def check(self) -> None:
        """Raise what went wrong in a thread."""
        if self._faults:
            raise self._faults[0]

    def close(self) -> None:
        self._stop.set()
        self._controller.join(timeout=30)
        for pod in self.pods:
            pod.remove()

    def _begin(self, **variables: str) -> Pod:
        pod = self._make_pod(spec=self._spec, **variables)
        pod.start()
        self.pods.append(pod)
        return pod

    def _end(self, pod: Pod) -> None:
        pod.terminating = True
        ending = threading.Thread(target=self._guarded, args=(pod.terminate,), daemon=True)
        ending.start()
        self._endings.append(ending)

    def _wait_for_endings(self) -> None:
        for ending in self._endings:
            ending.join(timeout=120)
        self._endings.clear()
        self.check()

    def _guarded(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except BaseException as fault:  # noqa: BLE001 -- a thread's fault is raised in the test
            self._faults.append(fault)

    def _control_endpoints(self) -> None:
        """Let the load balancer know of each change, `delay` seconds after it happened."""
        added: dict[str, Pod] = {}
        drained: set[str] = set()
        changes: list[tuple[float, Callable[[Pod], None], Pod]] = []
        while not self._stop.is_set():
            now = time.monotonic()
            for pod in list(self.pods):
                ready = not pod.terminating and pod.ready_since is not None
                known = pod.name in added and pod.name not in drained
                if ready and not known:
                    if pod.name in drained:
                        changes.append((now + self._delay, self._balancer.forget, pod))
                        drained.discard(pod.name)
                    added[pod.name] = pod
                    changes.append((now + self._delay, self._balancer.add, pod))
                if not ready and known:
                    drained.add(pod.name)
                    changes.append((now + self._delay, self._balancer.drain, pod))
            while changes and changes[0][0] <= now:
                _, change, pod = changes.pop(0)
                change(pod)
            time.sleep(0.05)


@dataclass(frozen=True)
class Load:
    """What wrk counted."""

    requests: int
    failed: int
    report: str


@contextmanager
def load(url: str, script: Path, connections: int) -> Iterator[Callable[[], Load]]:
    """wrk, until the function that this gives is called: it stops wrk and returns what it counted."""
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", "600", "--timeout", "10"]
    process = subprocess.Popen([*command, "--script", str(script), url], stdout=subprocess.PIPE, text=True)

    def stop() -> Load:
        process.send_signal(signal.SIGINT)
        report, _ = process.communicate(timeout=30)
        return parse_report(report)

    try:
        yield stop
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def parse_report(report: str) -> Load:
    """Requests that were answered, and those that failed: other answers than 2xx and 3xx, and broken connections."""
    [requests] = re.findall(r"(\d+) requests in", report)
    refused = re.findall(r"Non-2xx or 3xx responses: (\d+)", report)
    broken = re.findall(r"(?:connect|read|write|timeout) (\d+)", report)
    return Load(requests=int(requests), failed=sum(map(int, refused + broken)), report=report)
