#!/usr/bin/env bash
# Writes terraform/image.auto.tfvars: the image that serves now, as the last build left word of it. What Terraform adds
# months after the first deployment (VMs, a second region) starts with docker_image and answers at once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

state=gs://$(terraform -chdir=terraform output -raw bucket_name)/deployment/state.json
if ! release=$(gcloud storage cat "$state"); then
  printf 'error: %s can not be read; before the first deployment by a build docker_image is what serves\n' "$state" >&2
  exit 1
fi
image=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["current"]["image"])' <<<"$release")
printf 'docker_image = "%s"\n' "$image" | tee terraform/image.auto.tfvars
