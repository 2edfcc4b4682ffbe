#!/usr/bin/env bash
# What the make targets k8s-* do. K8S_OVERLAY names the overlay: local (kind or minikube) or gke.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

app=iris-api
namespace=mlops
cluster=mlops
overlay=${K8S_OVERLAY:-local}
image=${IMAGE:-iris-api}
port=${PORT:-8000}

fail() {
  echo "error: $*" >&2
  exit 1
}

need() { # program, how to install it
  command -v "$1" >/dev/null || fail "there is no $1 here; install it: $2"
}

need_kubectl() {
  need kubectl https://kubernetes.io/docs/tasks/tools/
  # what kubectl logs in to GKE with
  [[ $overlay != gke ]] ||
    need gke-gcloud-auth-plugin "gcloud components install gke-gcloud-auth-plugin, or by apt (docs/orchestration.md)"
}
need_docker() { need docker https://docs.docker.com/engine/install/; }
need_kind() { need kind https://kind.sigs.k8s.io/docs/user/quick-start/#installation; }
need_minikube() { need minikube https://minikube.sigs.k8s.io/docs/start/; }

in_namespace() { kubectl --namespace "$namespace" "$@"; }

setup() {
  need_minikube
  # calico, because minikube's default network does not heed network policies
  minikube start --profile "$cluster" --cni calico --addons metrics-server
}

setup_kind() {
  need_kind
  kind create cluster --name "$cluster" --wait 120s
}

make_secret() {
  if [[ -e k8s/secret.yaml ]]; then
    grep --quiet '^kind: SecretGenerator' k8s/secret.yaml ||
      fail "k8s/secret.yaml is no SecretGenerator; put its key into a copy of k8s/secret.yaml.example"
    return
  fi
  need openssl "apt-get install openssl"
  (umask 077 && sed "s/replace-me/$(openssl rand -hex 32)/" k8s/secret.yaml.example >k8s/secret.yaml)
  echo "k8s/secret.yaml: made, with a key of its own (git-ignored)"
}

# The name that kind, minikube or gcloud gave the cluster; a renamed context does not change it.
current_cluster() {
  kubectl config view --minify --output 'jsonpath={.contexts[0].context.cluster}' 2>/dev/null || true
}

# What changes a cluster changes the overlay's own, wherever kubectl happens to point.
need_cluster() {
  local current project
  current=$(current_cluster)
  case $overlay in
    local)
      [[ $current == "kind-$cluster" || $current == "$cluster" ]] ||
        fail "kubectl's cluster is '$current', not kind-$cluster or $cluster (minikube); run make k8s-setup-kind or" \
          "make k8s-setup, or say K8S_OVERLAY=gke"
      ;;
    gke)
      project=$(sed -n 's/^GOOGLE_CLOUD_PROJECT=//p' k8s/overlays/gke/config.env)
      [[ $current == "gke_${project}_"* ]] ||
        fail "kubectl's cluster is '$current', not one of the project $project in k8s/overlays/gke/config.env; run" \
          "gcloud container clusters get-credentials (docs/orchestration.md)"
      ;;
    *) fail "there is no overlay $overlay; K8S_OVERLAY is local or gke" ;;
  esac
}

load_image() { # image
  case $(current_cluster) in
    "kind-$cluster") need_kind && kind load docker-image "$1" --name "$cluster" ;;
    *) need_minikube && minikube --profile "$cluster" image load "$1" ;;
  esac
}

render() {
  kubectl kustomize --load-restrictor=LoadRestrictionsNone "k8s/overlays/$overlay"
}

deploy() {
  need_kubectl
  need_cluster
  local id manifests tagged
  case $overlay in
    local)
      need_docker
      id=$(docker image inspect --format '{{.Id}}' "$image") || fail "there is no image $image; run make build"
      tagged=$app:${id:7:12} # of sha256:..., so that another image rolls the pods
      make_secret
      docker tag "$image" "$tagged"
      load_image "$tagged"
      manifests=$(render | sed "s|image: $app:local$|image: $tagged|")
      ;;
    gke)
      manifests=$(render)
      # a project of one's own may be called my-project-123
      if grep --quiet --extended-regexp -e 'my-project([^a-z0-9-]|-ml-models|-dvc-cache|$)' -e 'example\.com' \
        <<<"$manifests"; then
        fail "k8s/overlays/gke still names my-project or example.com; put your own names in (docs/orchestration.md)"
      fi
      ;;
  esac
  kubectl apply --filename - <<<"$manifests"
  in_namespace rollout status "deployment/$app" --timeout 300s
}

status() {
  need_kubectl
  in_namespace get deployments,pods,services,horizontalpodautoscalers,poddisruptionbudgets,cronjobs,jobs
}

logs() {
  need_kubectl
  in_namespace logs --selector "app.kubernetes.io/name=$app" --prefix --tail 100 --follow --max-log-requests 20
}

port_forward() {
  need_kubectl
  echo "serving on http://localhost:$port (documentation: /docs; Ctrl-C stops)"
  in_namespace port-forward "service/$app" "$port:http"
}

predict() {
  need_kubectl
  need python3 "apt-get install python3"
  exec python3 k8s/predict.py --namespace "$namespace" --app "$app"
}

delete() {
  need_kubectl
  need_cluster
  # Deleting needs names, not keys.
  [[ $overlay != local ]] || make_secret
  render | kubectl delete --ignore-not-found --filename -
}

clean() {
  local found=false
  if command -v kind >/dev/null && kind get clusters 2>/dev/null | grep --quiet --line-regexp "$cluster"; then
    kind delete cluster --name "$cluster"
    found=true
  fi
  if command -v minikube >/dev/null && minikube profile list 2>/dev/null | grep --quiet --word-regexp "$cluster"; then
    minikube delete --profile "$cluster"
    found=true
  fi
  "$found" && return
  command -v kind >/dev/null || need_minikube
  echo "there is no local cluster $cluster"
}

case ${1:-} in
  setup | setup-kind | deploy | status | logs | port-forward | predict | delete | clean) "${1//-/_}" ;;
  *) fail "usage: k8s/cluster.sh setup|setup-kind|deploy|status|logs|port-forward|predict|delete|clean" ;;
esac
