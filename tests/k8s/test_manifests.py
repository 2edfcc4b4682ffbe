"""What the manifests promise, and how they agree with the service and with each other."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from functions.api.monitoring import ROUTE as METRICS_ROUTE
from functions.app import from_environment
from functions.metrics import ServiceMetrics
from functions.server import DRAIN_SECONDS, IDLE_CONNECTION_SECONDS
from functions.settings import InvalidSettings, Settings, variables
from tests.k8s.manifests import BUILDS, K8S, ROOT, Resource, add_components, copy_manifests, pod_template, render
from tests.k8s.network import Peer, allows, matches

pytestmark = pytest.mark.k8s

WORKLOADS = ("Deployment", "CronJob")
LOAD_BALANCER_KEEP_ALIVE_SECONDS = 600
"""Of Google's load balancers, and fixed: cloud.google.com/load-balancing/docs/https."""

LOAD_BALANCER = (Peer(address="35.191.10.1"), Peer(address="130.211.1.1"))
SCRAPERS = (Peer(namespace="gmp-system"), Peer(namespace="gke-gmp-system"))
STRANGERS = (
    Peer(address="203.0.113.7"),
    Peer(address="10.1.2.3"),
    Peer(namespace="default"),
    Peer(namespace="kube-system", labels={"k8s-app": "kube-dns"}),
    Peer(namespace="mlops", labels={"app.kubernetes.io/name": "redis"}),
    Peer(namespace="mlops", labels={"app.kubernetes.io/name": "iris-api"}),
)


def workloads(build):
    return [resource for kind in WORKLOADS for resource in build.all(kind)]


def container(resource):
    [only] = pod_template(resource)["spec"]["containers"]
    return only


def labels(resource):
    return pod_template(resource)["metadata"]["labels"]


def named_ports(resource):
    return {port["name"]: port["containerPort"] for port in container(resource)["ports"]}


def serving(build):
    """The Deployments of the image, canary included."""
    return [resource for resource in build.all("Deployment") if resource["metadata"]["name"] != "redis"]


def config(build):
    [found] = [one for one in build.all("ConfigMap") if one["metadata"]["name"].startswith("iris-api-config-")]
    return found["data"]


@pytest.fixture
def routes(monkeypatch, bundle_folder):
    monkeypatch.setenv("MODEL_DIR", str(bundle_folder))
    return {rule.rule for rule in from_environment().url_map.iter_rules()}


def test_each_component_is_in_a_build():
    assert {path.name for path in (K8S / "components").iterdir()} == {name for build in BUILDS for name in build[1:]}
    assert {path.name for path in (K8S / "overlays").iterdir()} == {build[0] for build in BUILDS}


def test_everything_is_in_the_namespace_that_refuses_privileges(any_build):
    namespace = any_build.one("Namespace", "mlops")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = [one for one in any_build.resources if one["kind"] != "Namespace"]
    assert {one["metadata"]["namespace"] for one in others} == {"mlops"}


def test_pods_meet_the_restricted_standard_and_write_nowhere(any_build):
    for resource in workloads(any_build):
        spec, only = pod_template(resource)["spec"], container(resource)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        kinds = {key for volume in spec.get("volumes", []) for key in volume} - {"name"}
        assert kinds <= {"configMap", "csi", "emptyDir", "secret"}


def test_requests_and_limits_are_set(any_build):
    for resource in workloads(any_build):
        resources = container(resource)["resources"]
        assert set(resources["requests"]) == set(resources["limits"]) >= {"cpu", "memory"}


def test_folders_are_no_larger_than_what_autopilot_grants(any_build):
    for resource in workloads(any_build):
        volumes = pod_template(resource)["spec"].get("volumes", [])
        folders = [mebibytes(one["emptyDir"]["sizeLimit"]) for one in volumes if "emptyDir" in one]
        granted = container(resource)["resources"]["requests"].get("ephemeral-storage", "1Gi")
        assert sum(folders) <= mebibytes(granted), resource["metadata"]["name"]


def mebibytes(quantity):
    number, unit = quantity[:-2], quantity[-2:]
    return int(number) * {"Mi": 1, "Gi": 1024}[unit]


def test_probes_ask_the_routes_of_the_app_that_are_not_limited(any_build, routes):
    for deployment in serving(any_build):
        only = container(deployment)
        paths = {name: only[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert set(paths.values()) <= routes
        assert paths["readinessProbe"] == "/health/ready"
        assert paths["startupProbe"] == paths["livenessProbe"] == "/health/live"
        assert {only[name]["httpGet"]["port"] for name in paths} <= set(named_ports(deployment))


def test_ports_agree_from_the_setting_to_the_service(any_build):
    for deployment in serving(any_build):
        assert named_ports(deployment) == {"http": int(config(any_build)["PORT"])}
    for service in any_build.all("Service"):
        [selected] = [one for one in any_build.all("Deployment") if matches_service(service, one)]
        [port] = service["spec"]["ports"]
        assert port["targetPort"] in named_ports(selected)


def test_ports_agree_from_the_service_to_the_edge(any_build):
    services = {one["metadata"]["name"]: one["spec"]["ports"][0] for one in any_build.all("Service")}
    for route in any_build.all("HTTPRoute"):
        for backend in [backend for rule in route["spec"]["rules"] for backend in rule.get("backendRefs", [])]:
            assert services[backend["name"]]["port"] == backend["port"]
    for ingress in any_build.all("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                assert services[backend["name"]]["name"] == backend["port"]["name"]
    for policy in any_build.all("HealthCheckPolicy"):
        [selected] = [one for one in serving(any_build) if one["metadata"]["name"] == target(policy)]
        check = policy["spec"]["default"]["config"]["httpHealthCheck"]
        assert check["port"] == named_ports(selected)["http"]
        assert check["requestPath"] == container(selected)["readinessProbe"]["httpGet"]["path"]
    for monitoring in any_build.all("PodMonitoring"):
        [endpoint] = monitoring["spec"]["endpoints"]
        assert endpoint["path"] == METRICS_ROUTE
        for deployment in serving(any_build):
            assert endpoint["port"] in named_ports(deployment)


def target(policy):
    reference = policy["spec"]["targetRef"]
    assert (reference["group"], reference["kind"]) == ("", "Service")
    return reference["name"]


def matches_service(service, deployment):
    return matches({"matchLabels": service["spec"]["selector"]}, labels(deployment))


def test_selectors_select_their_own_pods_and_no_others(any_build):
    deployments = any_build.all("Deployment")
    for deployment in deployments:
        selector = deployment["spec"]["selector"]
        assert [one for one in deployments if matches(selector, labels(one))] == [deployment]
    for budget in any_build.all("PodDisruptionBudget"):
        selected = [one for one in deployments if matches(budget["spec"]["selector"], labels(one))]
        assert [one["metadata"]["name"] for one in selected] == [budget["metadata"]["name"]]
    for monitoring in any_build.all("PodMonitoring"):
        selected = [one for one in deployments if matches(monitoring["spec"]["selector"], labels(one))]
        assert selected == serving(any_build)
    for policy in any_build.all("NetworkPolicy"):
        assert any(matches(policy["spec"]["podSelector"], labels(one)) for one in workloads(any_build))


def test_replicas_spread_by_their_own_labels(any_build):
    for deployment in serving(any_build):
        spec = pod_template(deployment)["spec"]
        [spread] = spec["topologySpreadConstraints"]
        [preference] = spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        assert spread["labelSelector"] == deployment["spec"]["selector"]
        assert preference["podAffinityTerm"]["labelSelector"] == deployment["spec"]["selector"]


def test_one_autoscaler_owns_the_replicas(any_build):
    scalers = any_build.all("HorizontalPodAutoscaler") + any_build.all("ScaledObject")
    [scaler] = scalers
    scaled = scaler["spec"]["scaleTargetRef"]
    deployment = any_build.one(scaled["kind"], scaled["name"])
    assert scaled["apiVersion"] == deployment["apiVersion"]
    assert "replicas" not in deployment["spec"], "applying again would undo the autoscaler"


def test_autoscaling_grows_at_once_and_shrinks_slowly(build):
    spec = build("gke").one("HorizontalPodAutoscaler")["spec"]
    assert spec["minReplicas"] >= 2
    assert spec["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] >= 300


def test_disruption_budget_lets_nodes_drain_and_keeps_a_replica(any_build):
    [budget] = any_build.all("PodDisruptionBudget")
    scaler = (any_build.all("HorizontalPodAutoscaler") + any_build.all("ScaledObject"))[0]["spec"]
    fewest = scaler.get("minReplicas") or scaler["minReplicaCount"]
    assert 1 <= budget["spec"]["maxUnavailable"] < fewest


def test_roll_out_takes_no_replica_away_before_another_is_ready(any_build):
    for deployment in serving(any_build):
        strategy = deployment["spec"]["strategy"]
        assert strategy["type"] == "RollingUpdate"
        assert strategy["rollingUpdate"]["maxUnavailable"] == 0
        assert strategy["rollingUpdate"]["maxSurge"] >= 1


def test_leaving_pod_has_time_for_its_requests(any_build):
    for deployment in serving(any_build):
        spec = pod_template(deployment)["spec"]
        pause = container(deployment)["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pause + DRAIN_SECONDS < spec["terminationGracePeriodSeconds"]
        for policy in any_build.all("GCPBackendPolicy"):
            assert policy["spec"]["default"]["connectionDraining"]["drainingTimeoutSec"] <= pause


def test_keep_alive_outlasts_the_load_balancers():
    assert IDLE_CONNECTION_SECONDS > LOAD_BALANCER_KEEP_ALIVE_SECONDS


def test_all_traffic_is_denied_unless_a_policy_allows_it(any_build):
    spec = any_build.one("NetworkPolicy", "default-deny")["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def admitted(build, peers, port):
    """Which of the peers reach the service's pods on a port."""
    [deployment, *_] = serving(build)
    policies, names = build.all("NetworkPolicy"), named_ports(deployment)
    return [peer for peer in peers if allows(policies, "Ingress", labels(deployment), peer, port, names)]


def test_load_balancer_and_scrapers_reach_the_service_on_gke_and_nobody_else(build):
    gke = build("gke", "canary", "retrain", "score")
    port = int(config(gke)["PORT"])
    friends = [*LOAD_BALANCER, *SCRAPERS]
    assert admitted(gke, [*friends, *STRANGERS], port) == friends
    assert admitted(gke, [*friends, *STRANGERS], port + 1) == []


def test_ingress_controller_alone_reaches_the_service_behind_an_ingress(build):
    shown = build("local", "ingress")
    controller = Peer(namespace="traefik")
    port = int(config(shown)["PORT"])
    assert admitted(shown, [controller, *LOAD_BALANCER, *SCRAPERS, *STRANGERS], port) == [controller]


def test_prometheus_that_keda_asks_reaches_the_service(build):
    shown = build("local", "keda")
    [address] = [
        trigger["metadata"]["serverAddress"]
        for trigger in shown.one("ScaledObject")["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    ]
    prometheus = Peer(namespace=address.split(".")[1])
    port = int(config(shown)["PORT"])
    assert admitted(shown, [prometheus, *LOAD_BALANCER, *SCRAPERS, *STRANGERS], port) == [prometheus]


def test_nobody_reaches_the_service_past_the_node_in_a_local_cluster(build):
    local = build("local")
    assert admitted(local, [*LOAD_BALANCER, *SCRAPERS, *STRANGERS], int(config(local)["PORT"])) == []


def asked_for_names(build, servers, protocol):
    """Which of the servers every pod may ask for names, over a protocol."""
    policies = build.all("NetworkPolicy")
    return [
        server
        for server in servers
        if all(allows(policies, "Egress", labels(one), server, 53, {}, protocol) for one in workloads(build))
    ]


def test_every_pod_asks_for_names_over_both_protocols(build):
    """An answer that is too long for UDP comes over TCP."""
    anywhere = [
        Peer(namespace="kube-system", labels={"k8s-app": "kube-dns"}),
        Peer(namespace="kube-system", labels={"k8s-app": "node-local-dns"}),
        Peer(address="169.254.20.10"),
    ]
    cloud_dns = Peer(address="169.254.169.254")
    others = [Peer(namespace="kube-system", labels={"k8s-app": "another"}), Peer(address="8.8.8.8")]
    servers = [*anywhere, cloud_dns, *others]
    for protocol in ("UDP", "TCP"):
        assert asked_for_names(build("local"), servers, protocol) == anywhere
        assert asked_for_names(build("gke", "canary", "retrain", "score"), servers, protocol) == [*anywhere, cloud_dns]


def test_service_reaches_redis_and_google_and_nothing_else(build):
    gke = build("gke")
    policies = gke.all("NetworkPolicy")
    deployment = gke.one("Deployment")
    redis = gke.one("Deployment", "redis")
    reached = {
        (Peer(namespace="mlops", labels=labels(redis)), 6379): True,
        (Peer(address="169.254.169.254"), 80): True,
        (Peer(address="169.254.169.252"), 988): True,
        (Peer(address="199.36.153.9"), 443): True,
        (Peer(address="199.36.153.9"), 80): False,
        (Peer(address="203.0.113.7"), 443): False,
        (Peer(namespace="default"), 443): False,
    }
    names = named_ports(redis)
    found = {(peer, port): allows(policies, "Egress", labels(deployment), peer, port, names) for peer, port in reached}
    assert found == reached


def test_images_have_a_tag_or_digest_from_the_overlay(any_build):
    for resource in workloads(any_build):
        name, _, version = container(resource)["image"].rpartition("/")[2].partition(":")
        assert name.partition("@")[0] in {"iris-api", "iris-api-pipeline", "redis"}
        assert version, f"{resource['metadata']['name']} would take the newest image"
        assert version != "latest"


def test_base_names_its_image_and_leaves_the_version_to_the_overlay():
    assert container(yaml.safe_load((K8S / "base/deployment.yaml").read_text()))["image"] == "iris-api"


def test_one_kind_is_in_a_file():
    for path in K8S.rglob("*.yaml"):
        if path.name != "secret.yaml":
            assert len(list(yaml.safe_load_all(path.read_text()))) == 1, path


def test_everything_that_a_pod_names_is_there(any_build):
    for resource in workloads(any_build):
        spec, only = pod_template(resource)["spec"], container(resource)
        for source in only.get("envFrom", []):
            any_build.one("ConfigMap", source["configMapRef"]["name"])
        if "serviceAccountName" in spec:
            assert any_build.one("ServiceAccount", spec["serviceAccountName"])["automountServiceAccountToken"] is False
        for volume in spec.get("volumes", []):
            if "secret" in volume:
                any_build.one("Secret", volume["secret"]["secretName"])
            if "configMap" in volume:
                any_build.one("ConfigMap", volume["configMap"]["name"])
            if "csi" in volume:
                any_build.one("SecretProviderClass", volume["csi"]["volumeAttributes"]["secretProviderClass"])
        mounted = {mount["name"] for mount in only.get("volumeMounts", [])}
        assert mounted == {volume["name"] for volume in spec.get("volumes", [])}


def test_service_accepts_its_configuration_with_the_mounted_key(any_build, tmp_path):
    environment = config(any_build)
    assert set(environment) <= {variable.name for variable in variables()}
    key_file = Path(environment["API_KEY_FILE"])
    for deployment in serving(any_build):
        [mount] = [one for one in container(deployment)["volumeMounts"] if one["name"] == "keys"]
        assert key_file.parent == Path(mount["mountPath"])
    here = tmp_path / "key"
    here.write_text("0123456789abcdef0123456789abcdef\n")
    settings = Settings.from_environ(environment | {"API_KEY_FILE": str(here)})
    assert settings.production
    assert settings.authenticated


def test_key_comes_from_a_file_of_that_name(build):
    name = Path(config(build("local"))["API_KEY_FILE"]).name
    [secret] = build("local").all("Secret")
    assert set(secret["data"]) == {name}
    gke = build("gke")
    assert gke.all("Secret") == []
    provided = gke.one("SecretProviderClass", "iris-api-keys")
    assert provided["apiVersion"] == "secrets-store.csi.x-k8s.io/v1"
    assert provided["spec"]["provider"] == "gke"
    [entry] = yaml.safe_load(provided["spec"]["parameters"]["secrets"])
    assert entry["path"] == name
    assert re.fullmatch(r"projects/[a-z0-9-]+/secrets/mlops-api-key/versions/latest", entry["resourceName"])
    [volume] = [one for one in pod_template(gke.one("Deployment"))["spec"]["volumes"] if one["name"] == "keys"]
    assert volume["csi"]["driver"] == "secrets-store-gke.csi.k8s.io"
    assert volume["csi"]["readOnly"] is True


def test_git_holds_no_secret_value():
    tracked = subprocess.run(["git", "ls-files", "k8s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "k8s/secret.yaml.example" in tracked.splitlines()
    assert "k8s/secret.yaml" not in tracked.splitlines()
    ignored = subprocess.run(["git", "check-ignore", "k8s/secret.yaml"], cwd=ROOT, capture_output=True, check=False)
    assert ignored.returncode == 0
    for path in tracked.splitlines():
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not re.search(r"^kind: Secret$", text, re.MULTILINE), path
        assert not re.search(r"\b(?=\w*[0-9])[0-9A-Za-z]{32,}\b", text), f"{path} holds what looks like a key"


def test_example_key_is_refused_by_the_service(tmp_path):
    [literal] = yaml.safe_load((K8S / "secret.yaml.example").read_text())["literals"]
    (tmp_path / "key").write_text(literal.partition("=")[2])
    with pytest.raises(InvalidSettings, match="shorter than 32"):
        Settings.from_environ(
            {"ENVIRONMENT": "production", "CORS_ORIGINS": "https://a.example", "API_KEY_FILE": str(tmp_path / "key")}
        )


def serving_template(overlay: Path) -> Resource:
    deployments = [one for one in yaml.safe_load_all(render(overlay)) if one["kind"] == "Deployment"]
    return next(pod_template(one) for one in deployments if one["metadata"]["name"] == "iris-api")


@pytest.mark.parametrize(
    ("overlay", "path", "old", "new"),
    [
        ("local", "base/config.env", "ENVIRONMENT=production", "ENVIRONMENT=development"),
        ("local", "overlays/local/config.env", "localhost", "127.0.0.1"),
        ("local", "secret.yaml", "replace-me", "another"),
        ("gke", "overlays/gke/config.env", "app.example.com", "other.example.com"),
    ],
)
def test_changed_setting_or_key_rolls_the_pods(tmp_path, overlay, path, old, new):
    copy = copy_manifests(tmp_path)
    before = serving_template(copy / "overlays" / overlay)
    text = (copy / path).read_text()
    assert old in text
    (copy / path).write_text(text.replace(old, new))
    assert serving_template(copy / "overlays" / overlay) != before


def test_gateway_has_a_certificate_and_sends_plain_http_to_https(build):
    gke = build("gke")
    gateway = gke.one("Gateway")
    assert gateway["metadata"]["annotations"]["networking.gke.io/certmap"]
    protocols = {listener["name"]: listener["protocol"] for listener in gateway["spec"]["listeners"]}
    assert protocols == {"https": "HTTPS", "http": "HTTP"}
    for route in gke.all("HTTPRoute"):
        [parent] = route["spec"]["parentRefs"]
        assert parent["name"] == gateway["metadata"]["name"]
        filters = [entry for rule in route["spec"]["rules"] for entry in rule.get("filters", [])]
        redirects = [entry["requestRedirect"]["scheme"] for entry in filters if entry["type"] == "RequestRedirect"]
        assert redirects == (["https"] if protocols[parent["sectionName"]] == "HTTP" else [])


def test_each_public_service_is_behind_cloud_armor_and_probed(build):
    gke = build("gke", "canary")
    published = {
        backend["name"]
        for route in gke.all("HTTPRoute")
        for rule in route["spec"]["rules"]
        for backend in rule.get("backendRefs", [])
    }
    assert published == {"iris-api", "iris-api-canary"}
    protected = {target(one) for one in gke.all("GCPBackendPolicy") if one["spec"]["default"]["securityPolicy"]}
    assert published == protected == {target(one) for one in gke.all("HealthCheckPolicy")}


def test_managed_prometheus_scrapes_at_an_interval(build):
    monitoring = build("gke").one("PodMonitoring")
    assert monitoring["apiVersion"] == "monitoring.googleapis.com/v1"
    [endpoint] = monitoring["spec"]["endpoints"]
    assert set(endpoint) == {"port", "path", "interval"}
    assert re.fullmatch(r"[0-9]+s", endpoint["interval"])


def test_pods_act_as_google_accounts_of_the_project(build):
    gke = build("gke", "retrain", "score")
    accounts = {
        one["metadata"]["name"]: one["metadata"]["annotations"]["iam.gke.io/gcp-service-account"]
        for one in gke.all("ServiceAccount")
    }
    assert {name: account.partition("@")[0] for name, account in accounts.items()} == {
        "iris-api": "mlops-api-sa",
        "iris-api-retrain": "mlops-builder-sa",
        "iris-api-score": "mlops-builder-sa",
    }


def test_limits_are_shared_where_replicas_are_public(build):
    gke = build("gke")
    assert config(gke)["RATELIMIT_STORAGE_URI"] == "redis://redis:6379"
    [port] = gke.one("Service", "redis")["spec"]["ports"]
    assert port["port"] == 6379
    assert "RATELIMIT_STORAGE_URI" not in config(build("local"))


def test_canary_is_the_stable_deployment_with_another_image(build):
    gke = build("gke", "canary")
    stable, canary = gke.one("Deployment"), gke.one("Deployment", "iris-api-canary")
    assert container(stable)["image"] != container(canary)["image"]
    renamed = yaml.safe_load(
        yaml.safe_dump(canary)
        .replace("iris-api-canary", "iris-api")
        .replace(container(canary)["image"], container(stable)["image"])
    )
    assert renamed["spec"].pop("replicas") == 1
    assert container(renamed).pop("env") == [{"name": "MODEL_URI", "value": ""}]
    assert renamed == stable
    weights = {one["name"]: one["weight"] for one in gke.one("HTTPRoute")["spec"]["rules"][0]["backendRefs"]}
    assert weights == {"iris-api": 90, "iris-api-canary": 10}


def test_canary_serves_the_model_of_its_image_and_the_others_the_champion(build, tmp_path):
    """A canary that followed the pointer would be tried with the model that is there to be replaced."""
    gke = build("gke", "canary")
    key = tmp_path / "key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    asked = {}
    for deployment in serving(gke):
        own = {one["name"]: one["value"] for one in container(deployment).get("env", [])}  # which beat envFrom
        settings = Settings.from_environ(config(gke) | own | {"API_KEY_FILE": str(key)})
        asked[deployment["metadata"]["name"]] = settings.bundle_uri
    assert asked == {"iris-api": "gs://my-project-ml-models/models/champion.json", "iris-api-canary": ""}


def test_keda_asks_for_a_metric_that_the_service_has(build):
    [query] = [
        trigger["metadata"]["query"]
        for trigger in build("local", "keda").one("ScaledObject")["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    ]
    [(metric, selected)] = re.findall(r"(\w+)\{(.*?)\}", query)
    rules = (ROOT / "monitoring/rules/service.yml").read_text()
    [total] = set(re.findall(r"^ *or 0 \* sum by \(job\) \(rate\((\w+\{.*\})\[", rules, re.MULTILINE))
    family = next(one for one in ServiceMetrics().registry.collect() if one.name == metric.removesuffix("_count"))
    assert family.type == "histogram"
    assert f"{metric}{{{selected}}}" == total.replace("{", '{namespace="mlops",'), "a prediction is what the rules say"


def test_jobs_run_modules_of_the_pipeline_and_end(build):
    gke = build("gke", "retrain", "score")
    scripts = (
        (K8S / "components/retrain/retrain.sh").read_text(),
        container(gke.one("CronJob", "iris-api-score"))["command"][2],
    )
    for module in re.findall(r"python -m (pipeline\.\w+)", "\n".join(scripts)):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module
    for job in gke.all("CronJob"):
        spec = job["spec"]["jobTemplate"]["spec"]
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        assert pod_template(job)["spec"]["restartPolicy"] == "Never"
        assert spec["activeDeadlineSeconds"] > 0
    assert gke.one("CronJob", "iris-api-score")["spec"]["suspend"] is True


def test_adding_every_component_of_gke_at_once_builds(tmp_path):
    copy = copy_manifests(tmp_path)
    add_components(copy / "overlays/gke", ["canary", "retrain", "score"])
    assert render(copy / "overlays/gke")
