#!/usr/bin/env bash
# From an empty project to a prediction, in the only order that works: the foundation (without an
# image), the first build (which needs the foundation), the rest (which needs the build's image).
# Each step can be repeated, so after an error: put right what it says, and start again. Arguments go
# to terraform apply: `make bootstrap ARGS=-auto-approve` asks nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The value of a string variable in terraform.tfvars, or its default $2.
setting() {
  local value
  value=$(sed -nE "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*\"([^\"]*)\".*/\1/p" terraform/terraform.tfvars | tail -1)
  printf '%s' "${value:-$2}"
}

output() { terraform -chdir=terraform output -raw "$1"; }

check_tools() {
  command -v terraform >/dev/null || fail "terraform is missing: https://developer.hashicorp.com/terraform/install"
  command -v gcloud >/dev/null || fail "gcloud is missing: https://cloud.google.com/sdk/docs/install"
  command -v openssl >/dev/null || fail "openssl is missing: install the package openssl"
}

check_settings() {
  [[ -f terraform/terraform.tfvars ]] ||
    fail "terraform/terraform.tfvars is missing: cp terraform/terraform.tfvars.example terraform/terraform.tfvars, and say there which project"
  project=$(setting project_id "")
  region=$(setting region europe-west1)
  [[ -n $project ]] || fail "terraform/terraform.tfvars has no project_id"
  [[ ! -f $image_file ]] || fail "$image_file names an image already: make terraform-apply goes on from there"
}

check_credentials() {
  gcloud auth print-access-token >/dev/null 2>&1 || fail "gcloud is not logged in: gcloud auth login"
  gcloud auth application-default print-access-token >/dev/null 2>&1 ||
    fail "Terraform has no credentials: gcloud auth application-default login"
  gcloud projects describe "$project" --format='value(projectId)' >/dev/null 2>&1 ||
    fail "there is no project $project, or you may not see it: gcloud projects create $project"
  [[ $(gcloud billing projects describe "$project" --format='value(billingEnabled)') == True ]] ||
    fail "project $project has no billing account: gcloud billing projects link $project --billing-account=ACCOUNT"
}

# What Terraform itself needs: the services that it asks before it can enable any, and the service
# agents that are granted keys before they have done anything.
prepare_project() {
  gcloud services enable --project="$project" artifactregistry.googleapis.com cloudresourcemanager.googleapis.com \
    compute.googleapis.com iam.googleapis.com secretmanager.googleapis.com serviceusage.googleapis.com storage.googleapis.com
  local service
  for service in artifactregistry secretmanager; do
    gcloud beta services identity create --project="$project" --service="$service.googleapis.com"
  done
}

make_state_bucket() {
  local bucket=$project-terraform-state
  if ! gcloud storage buckets describe "gs://$bucket" --format='value(name)' >/dev/null 2>&1; then
    gcloud storage buckets create "gs://$bucket" --project="$project" --location="$region" \
      --uniform-bucket-level-access --public-access-prevention
    gcloud storage buckets update "gs://$bucket" --versioning
  fi
  [[ -f terraform/backend.tf ]] ||
    sed -e '/^#/d' -e "s/PROJECT_ID/$project/" terraform/backend.tf.example >terraform/backend.tf
}

# The key is made here when nobody gave one and there is none yet; it is shown nowhere.
make_key() {
  local secret
  secret=$(setting secret_manager_api_key_name mlops-api-key)
  [[ -z ${TF_VAR_api_key_value:-} ]] || return 0
  if [[ -z $(gcloud secrets versions list "$secret" --project="$project" --limit=1 --format='value(name)' 2>/dev/null) ]]; then
    TF_VAR_api_key_value=$(openssl rand -hex 32)
    export TF_VAR_api_key_value
  fi
}

# The image of the newest build that succeeded, by digest; nothing when none did. A build that failed, at its scan for
# one, may have pushed an image too.
built_image() {
  local digest
  digest=$(gcloud builds list --project="$project" --region="$region" --limit=1 \
    --filter="status=SUCCESS AND tags=iris-api" --format='value(results.images[0].digest)') || return
  [[ -z $digest ]] || printf '%s/iris-api@%s' "$(output artifact_registry)" "$digest"
}

build_image() {
  gcloud builds submit . --project="$project" --region="$region" --config=cloudbuild.yaml \
    --service-account="$(output builder_service_account_id)" \
    --substitutions="_ACTION=train,$(output build_substitutions)"
}

image_file=terraform/image.auto.tfvars
say "Checking tools, settings and credentials"
check_tools
check_settings
check_credentials

say "1 of 5: what Terraform needs in project $project, and a bucket for its state"
prepare_project
make_state_bucket
make_key

say "2 of 5: the foundation, without an image"
terraform -chdir=terraform init -input=false
[[ $(output service_url 2>/dev/null) != http* ]] ||
  fail "project $project has a service already, and this would take it away: write its docker_image into $image_file, then make terraform-apply"
terraform -chdir=terraform apply -var=docker_image= "$@"

say "3 of 5: the first build: trains the model, and pushes the image"
image=$(built_image)
if [[ -z $image ]]; then
  build_image
  image=$(built_image)
fi
[[ -n $image ]] || fail "no build has succeeded: gcloud builds list --project=$project --region=$region"

say "4 of 5: the service, with $image"
printf 'docker_image = "%s"\n' "$image" >"$image_file"
terraform -chdir=terraform apply "$@"

say "5 of 5: ready"
url=$(output service_url)
cat <<EOS
The service answers at $url

  API_KEY=\$(gcloud secrets versions access latest --secret=$(output secret_manager_secret_name) --project=$project)
  curl $url/predict -H "X-API-Key: \$API_KEY" -H 'Content-Type: application/json' \\
    -d '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}'

The next build tries the same model in this service, and makes it the champion (docs/infrastructure.md):

  make gcloud-submit PROJECT_ID=$project ACTION=train
EOS
