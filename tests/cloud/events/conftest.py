"""Google Cloud on this machine: real servers that speak the protocols of the APIs, with the libraries' own messages.

A program under test runs as it would in the cloud, unchanged: it finds its identity at a metadata server
and reaches *.googleapis.com over TLS, through a proxy that leads there to the servers here.
"""

import http.client
import importlib
import json
import os
import re
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "an-access-token"
PROJECT = "projects/example"
PRIMARY, FALLBACK = f"{PROJECT}/global/urlMaps/primary", f"{PROJECT}/global/urlMaps/fallback"
VM_BACKEND = f"{PROJECT}/global/backendServices/vm"
GROUP = "https://www.googleapis.com/compute/v1/projects/example/regions/europe-west1/instanceGroups/iris-api-server"
TRIGGER_ID, TRIGGER_NAME = "6f1d2c3b-0000-4000-8000-000000000001", "train"
TRIGGERS = f"{PROJECT}/locations/europe-west1/triggers"
PROBE_TOKEN = "a-probe-token"


class Handler(BaseHTTPRequestHandler):
    """A request handler that keeps quiet and answers JSON."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, text, **headers):
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in ({"Content-Type": "application/json"} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


@contextmanager
def served(handler, context=None):
    """An HTTP server on a free port; gives the port."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request, client_address):
            """A client that went away is no error of the server."""

        def finish_request(self, request, client_address):
            if context is not None:
                with context.wrap_socket(request, server_side=True) as secured:
                    super().finish_request(secured, client_address)
            else:
                super().finish_request(request, client_address)

    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class ComputeEngine:
    """The part of compute.googleapis.com that a load balancer's switch needs."""

    def __init__(self):
        self.url_map = PRIMARY
        self.switches = []
        self.vm_healthy = True
        self.refusal = None
        self.operation_error = None
        self.meanwhile = lambda: None
        self._operations = {}
        self._lock = threading.Lock()

    def handle(self, method, path, body):
        """Answer one call: a status and JSON."""
        if self.refusal is not None:
            status, message = self.refusal
            return status, json.dumps({"error": {"code": status, "message": message}})
        for pattern, verb, call in self._ROUTES:
            if verb == method and (match := re.fullmatch(f"/compute/v1/{pattern}", path)):
                try:
                    return 200, call(self, body, *match.groups())
                except ValueError as error:
                    return 400, json.dumps({"error": {"code": 400, "message": str(error)}})
        return 404, json.dumps({"error": {"code": 404, "message": f"there is no {method} {path}"}})

    def _proxy(self, _body, name):
        from google.cloud import compute_v1

        return compute_v1.TargetHttpsProxy.to_json(
            compute_v1.TargetHttpsProxy(name=name, url_map=f"https://www.googleapis.com/compute/v1/{self.url_map}")
        )

    def _set_url_map(self, body, _collection):
        from google.cloud import compute_v1

        url_map = compute_v1.UrlMapReference.from_json(body).url_map
        prefix = "https://www.googleapis.com/compute/v1/"
        if url_map not in (prefix + PRIMARY, prefix + FALLBACK):
            raise ValueError(f"Invalid value for field 'urlMap': '{url_map}'")
        with self._lock:
            name = f"operation-{len(self._operations)}"
            self._operations[name] = url_map.removeprefix(prefix)
            self.switches.append(self._operations[name])
        return self._operation(name, compute_v1.Operation.Status.RUNNING)

    def _wait(self, _body, name):
        from google.cloud import compute_v1

        self.meanwhile()
        if self.operation_error is None:
            self.url_map = self._operations[name]
        return self._operation(name, compute_v1.Operation.Status.DONE)

    def _operation(self, name, status):
        from google.cloud import compute_v1

        operation = compute_v1.Operation(name=name, status=status)
        if self.operation_error is not None and status == compute_v1.Operation.Status.DONE:
            operation.error = compute_v1.Error(errors=[compute_v1.Errors(code=self.operation_error)])
        return compute_v1.Operation.to_json(operation, use_integers_for_enums=False)

    def _backend(self, _body, name):
        from google.cloud import compute_v1

        backend = compute_v1.BackendService(name=name, backends=[compute_v1.Backend(group=GROUP)])
        return compute_v1.BackendService.to_json(backend)

    def _health(self, body, _name):
        from google.cloud import compute_v1

        group = compute_v1.ResourceGroupReference.from_json(body).group
        if group != GROUP:
            raise ValueError(f"Invalid value for field 'group': '{group}'")
        health = compute_v1.HealthStatus(health_state="HEALTHY" if self.vm_healthy else "UNHEALTHY")
        return compute_v1.BackendServiceGroupHealth.to_json(
            compute_v1.BackendServiceGroupHealth(health_status=[health])
        )

    _ROUTES = (
        ("projects/example/global/targetHttps?Proxies/([a-z]+)", "GET", _proxy),
        ("projects/example/(targetHttps?Proxies)/[a-z]+/setUrlMap", "POST", _set_url_map),
        ("projects/example/global/operations/([a-z0-9-]+)/wait", "POST", _wait),
        ("projects/example/global/operations/([a-z0-9-]+)", "GET", _wait),
        ("projects/example/global/backendServices/([a-z]+)", "GET", _backend),
        ("projects/example/global/backendServices/([a-z]+)/getHealth", "POST", _health),
    )

    def handler(self):
        """The handler class of an HTTP server."""
        compute = self

        class ComputeHandler(Handler):
            def _serve(self):
                body = self.body()
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    self.answer(401, '{"error": {"code": 401, "message": "Invalid Credentials"}}')
                else:
                    self.answer(*compute.handle(self.command, self.path.partition("?")[0], body.decode()))

            do_GET = do_POST = _serve  # noqa: N815 -- names of http.server

        return ComputeHandler


class CloudBuild:
    """The part of cloudbuild.googleapis.com that running a trigger needs, over gRPC."""

    def __init__(self):
        self.builds = []
        self.refusal = None

    def run_build_trigger(self, request, context):
        from google.cloud.devtools import cloudbuild_v1
        from google.longrunning import operations_pb2

        self._check(context)
        trigger = request.trigger_id
        known = trigger in (TRIGGER_ID, TRIGGER_NAME) and request.name == f"{TRIGGERS}/{trigger}"
        if not known or request.project_id != "example":
            context.abort(self._code("NOT_FOUND"), f"Trigger {request.name} not found")
        build = cloudbuild_v1.Build(
            id=f"build-{len(self.builds) + 1}",
            build_trigger_id=TRIGGER_ID,
            create_time=datetime.now(UTC),
            substitutions=dict(request.source.substitutions) | {"TRIGGER_NAME": TRIGGER_NAME},
        )
        self.builds.append(build)
        operation = operations_pb2.Operation(name=f"operations/build/example/{build.id}")
        operation.metadata.Pack(
            cloudbuild_v1.BuildOperationMetadata.pb(cloudbuild_v1.BuildOperationMetadata(build=build))
        )
        return operation

    def list_builds(self, request, context):
        """The newest first, two a page."""
        from google.cloud.devtools import cloudbuild_v1

        self._check(context)
        condition = re.fullmatch(r'create_time>="(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?\+00:00)"', request.filter)
        if condition is None or request.parent != f"{PROJECT}/locations/europe-west1":
            context.abort(self._code("INVALID_ARGUMENT"), f"invalid list filter: {request.filter}")
        since = datetime.fromisoformat(condition[1])
        found = [build for build in reversed(self.builds) if build.create_time >= since]
        start = int(request.page_token or 0)
        more = str(start + 2) if start + 2 < len(found) else ""
        return cloudbuild_v1.ListBuildsResponse(builds=found[start : start + 2], next_page_token=more)

    def _check(self, context):
        if ("authorization", f"Bearer {TOKEN}") not in context.invocation_metadata():
            context.abort(self._code("UNAUTHENTICATED"), "Request had invalid authentication credentials.")
        if self.refusal is not None:
            context.abort(self._code(self.refusal), "refused by the test")

    @staticmethod
    def _code(name):
        import grpc

        return grpc.StatusCode[name]

    @contextmanager
    def served(self, key, chain):
        """Serve with that TLS key; gives the port."""
        import grpc
        from google.cloud.devtools import cloudbuild_v1

        def method(call, request, response):
            return grpc.unary_unary_rpc_method_handler(
                call, request_deserializer=request.deserialize, response_serializer=response
            )

        methods = {
            "RunBuildTrigger": method(
                self.run_build_trigger,
                cloudbuild_v1.RunBuildTriggerRequest,
                lambda operation: operation.SerializeToString(),
            ),
            "ListBuilds": method(
                self.list_builds, cloudbuild_v1.ListBuildsRequest, cloudbuild_v1.ListBuildsResponse.serialize
            ),
        }
        server = grpc.server(ThreadPoolExecutor(4))
        service = "google.devtools.cloudbuild.v1.CloudBuild"
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, methods)])
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
        server.start()
        try:
            yield port
        finally:
            server.stop(None).wait()


class MetadataHandler(Handler):
    """The metadata server of a machine whose service account may do everything."""

    _ANSWERS = (
        ("/computeMetadata/v1/universe/universe-domain", "googleapis.com"),
        ("/computeMetadata/v1/project/project-id", "example"),
        ("token", json.dumps({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})),
        ("/computeMetadata/v1/instance/service-accounts/default/", json.dumps({"email": "f@example", "scopes": []})),
        ("/", "computeMetadata/"),
    )

    def do_GET(self):
        path = self.path.partition("?")[0]
        for end, text in self._ANSWERS:
            if path.endswith(end):
                kind = "application/json" if text.startswith("{") else "application/text"
                return self.answer(200, text, **{"Metadata-Flavor": "Google", "Content-Type": kind})
        return self.answer(404, "", **{"Metadata-Flavor": "Google"})


class LoadBalancer:
    """Routes by the probe header, else to the backend of the URL map that Compute Engine has now."""

    def __init__(self, compute):
        self.compute = compute
        self.status = {"run": 200, "vm": 200}
        self.requests = []

    def handler(self):
        balancer = self

        class Route(Handler):
            def do_GET(self):
                active = "run" if balancer.compute.url_map == PRIMARY else "vm"
                wanted = self.headers.get("X-Probe-Backend", "")
                backend = next((name for name in balancer.status if wanted == f"{name}-{PROBE_TOKEN}"), active)
                balancer.requests.append((self.path, wanted, backend))
                status = balancer.status[backend]
                if status in ("closes", "hangs"):
                    time.sleep(8 if status == "hangs" else 0)
                    self.close_connection = True
                else:
                    self.answer(
                        status, json.dumps({"backend": backend}), **({"Location": "/"} if status == 302 else {})
                    )

        return Route


def proxy_handler(ports):
    """An HTTP proxy that leads each host of `ports` to a server here, and others nowhere."""

    class Proxy(Handler):
        def do_CONNECT(self):
            host = self.path.partition(":")[0]
            if host not in ports:
                self.send_error(502, f"no {host} here")
                return
            self.send_response(200)
            self.end_headers()
            with socket.create_connection(("127.0.0.1", ports[host])) as server:
                join(self.connection, server)
            self.close_connection = True

    return Proxy


def join(one, other):
    """Pass on what each socket receives to the other until one of them closes."""
    peers = {one: other, other: one}
    while True:
        for ready in select.select(list(peers), [], [])[0]:
            data = ready.recv(65536)
            if not data:
                return
            peers[ready].sendall(data)


class Google:
    """All servers together, and the environment in which a program finds them."""

    def __init__(self, compute, cloud_build, balancer, variables, balancer_url):
        self.compute, self.cloud_build, self.balancer = compute, cloud_build, balancer
        self.variables = variables
        self.retrain_settings = {"RETRAIN_TRIGGER": f"{TRIGGERS}/{TRIGGER_ID}"}
        self.failover_settings = {
            "FAILOVER_URL": balancer_url,
            "FAILOVER_PROBE_TOKEN": PROBE_TOKEN,
            "FAILOVER_PROXY": f"{PROJECT}/global/targetHttpsProxies/front",
            "FAILOVER_PRIMARY_URL_MAP": PRIMARY,
            "FAILOVER_FALLBACK_URL_MAP": FALLBACK,
            "FAILOVER_VM_BACKEND": VM_BACKEND,
            "FAILOVER_STATE_URI": "gs://bucket/failover/state.json",
        }

    def environment(self, **changes):
        """The environment of a process on Google Cloud."""
        path = f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
        return {"PATH": path, "HOME": "/nonexistent", "LANG": "C.UTF-8"} | self.variables | changes

    def object(self, name):
        """An object of the bucket, as the bucket's owner sees it."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        with closing(storage.Client(project="test", credentials=AnonymousCredentials())) as client:
            return client.bucket("bucket").blob(name)


@pytest.fixture
def google(storage_server, tmp_path, monkeypatch):
    """Google Cloud on this machine, with nothing in it but an empty bucket."""
    import trustme

    # Slow to import, so before a client waits for an answer.
    for library in ("google.cloud.compute_v1", "google.cloud.devtools.cloudbuild_v1"):
        importlib.import_module(library)

    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    certificate = authority.issue_cert("compute.googleapis.com", "cloudbuild.googleapis.com")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    compute, cloud_build = ComputeEngine(), CloudBuild()
    balancer = LoadBalancer(compute)
    with (
        served(compute.handler(), context) as compute_port,
        cloud_build.served(certificate.private_key_pem.bytes(), chain) as build_port,
        served(MetadataHandler) as metadata_port,
        served(balancer.handler()) as balancer_port,
        served(
            proxy_handler({"compute.googleapis.com": compute_port, "cloudbuild.googleapis.com": build_port})
        ) as proxy_port,
    ):
        variables = {
            "https_proxy": f"http://127.0.0.1:{proxy_port}",
            "REQUESTS_CA_BUNDLE": str(tmp_path / "authority.pem"),
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tmp_path / "authority.pem"),
            "GCE_METADATA_HOST": f"127.0.0.1:{metadata_port}",
            "GCE_METADATA_IP": f"127.0.0.1:{metadata_port}",
            "STORAGE_EMULATOR_HOST": storage_server.url,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield Google(compute, cloud_build, balancer, variables, f"http://127.0.0.1:{balancer_port}")


@pytest.fixture
def start_program():
    """Start a program, and end it with the test if it has not ended before."""
    started = []

    def start_program(command, output, **options):
        with output.open("w") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, **options)
        started.append(process)
        return process

    yield start_program
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


class Function:
    """A function in functions-framework's own server."""

    def __init__(self, process, port, output):
        self.process, self.port, self._output = process, port, output

    @property
    def output(self):
        return self._output.read_text()

    def log(self):
        """The JSON lines of the log so far."""
        return [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]

    def deliver(self, attributes, data, mode="binary"):
        """Deliver a CloudEvent over HTTP, in that content mode; gives the status and the body of the answer."""
        if mode == "binary":
            headers = {f"ce-{name}": value for name, value in attributes.items()}
            headers |= {"ce-specversion": "1.0", "Content-Type": "application/json"}
            return self.post(headers, json.dumps(data))
        event = attributes | {"specversion": "1.0", "datacontenttype": "application/json", "data": data}
        return self.post({"Content-Type": "application/cloudevents+json"}, json.dumps(event))

    def post(self, headers, body):
        return self.ask("POST", "/", body, headers)

    def ask(self, method, path, body=None, headers=None):
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)) as connection:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read()

    def await_port(self):
        for _ in range(600):
            assert self.process.poll() is None, self.output
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError(self.output)


@pytest.fixture
def serve_function(google, start_program, tmp_path, free_port):
    """Serve a target as Google's buildpack starts it; from this project, or from the folder of a deployed source."""

    def serve(target, source=None, python=None, **settings):
        environment = google.environment(FUNCTION_TARGET=target, PORT=str(free_port), **settings)
        if target != "predict":
            environment["FUNCTION_SIGNATURE_TYPE"] = "cloudevent"
        if source is None:
            environment["FUNCTION_SOURCE"] = "functions/main.py"
        output = tmp_path / f"{target}.log"
        command = [python or sys.executable, "-m", "functions_framework"]
        function = Function(start_program(command, output, cwd=source or ROOT, env=environment), free_port, output)
        function.await_port()
        return function

    return serve
