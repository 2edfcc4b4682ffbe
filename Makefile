# Everything here needs Python >= 3.11 and make, and nothing else: uv comes into .venv when it is missing.
PYTHON ?= python3
PORT ?= 8000
MLFLOW_PORT ?= 5000
IMAGE ?= iris-api
PROJECT_ID ?=
K8S_OVERLAY ?= local
ARGS ?=

# Fails with the remedy where $(PYTHON) can't run what is here.
define REQUIRE_PYTHON
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "error: $(PYTHON) is missing, or older than Python 3.11; name another: make PYTHON=python3.13 ..." >&2; exit 1; }
endef

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

VENV := .venv
UV := $(VENV)/bin/uv
SCANNERS := .venv-scanners/.installed
SITE := .venv-docs/.installed
SCHEMAS := tests/k8s/schemas/node_modules/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Another environment may be active in the caller's shell; uv would install into that one.
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export IMAGE K8S_OVERLAY PORT

# No program of ours phones home; the code says so too, this covers the tools' own commands.
export DVC_NO_ANALYTICS := 1
export DO_NOT_TRACK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export ORT_DISABLE_TELEMETRY := 1

##@ Start here

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: train ## Train if needed, then serve on http://localhost:8000 (PORT=9000 changes it)
	@echo "serving on http://localhost:$(PORT) (documentation: /docs; Ctrl-C stops)"
	@exec python -m functions.server

.PHONY: run-prod
run-prod: train ## Serve with production's rules; takes API_KEY and CORS_ORIGINS from the environment
	@ENVIRONMENT=production HOST=$${HOST:-127.0.0.1} exec python -m functions.server

.PHONY: health
health: ## Ask the running service how it is
	@curl --silent --show-error --fail-with-body http://localhost:$(PORT)/health

.PHONY: test
test: install ## Run the whole test suite, with its coverage floor
	pytest -n 2 --cov --cov-report=term

.PHONY: test-cloud
test-cloud: install ## Test real processes against servers of Google Cloud's protocols, on this machine
	pytest -m cloud tests/cloud

.PHONY: ci
ci: ## Run all that CI runs, on Debian as root: lint and every suite (.ci/run)
	@.ci/run

.PHONY: install
install: $(VENV)/.development ## Install everything for development into .venv

.PHONY: doctor
doctor: ## Check this machine, the training side and the service: what is missing, and the fix
	@$(REQUIRE_PYTHON)
	@$(or $(wildcard $(VENV)/bin/python),$(PYTHON)) -m pipeline.doctor

##@ Model

.PHONY: train dvc-repro
train: $(VENV)/.pipeline ## Run the pipeline's stages that are out of date: prepare, train, evaluate, release
	@dvc repro
dvc-repro: train ## The same as train

.PHONY: promote
promote: $(VENV)/.pipeline ## Make the released model the champion that the next one has to match
	@python -m pipeline.promote

# Also pipeline/tracking.py's; a test holds them equal.
MLFLOW_STORE := sqlite:///mlflow.db

.PHONY: mlflow-ui mlflow-experiments
mlflow-experiments: $(VENV)/.pipeline ## List the experiments
	@MLFLOW_TRACKING_URI=$(MLFLOW_STORE) mlflow experiments search
mlflow-ui: $(VENV)/.pipeline ## Show the experiments on http://localhost:5000
	@mlflow ui --backend-store-uri $(MLFLOW_STORE) --port $(MLFLOW_PORT) --workers 1

##@ Data versions

.PHONY: dvc-init
dvc-init: $(VENV)/.pipeline ## Name the bucket of the data and models: make dvc-init PROJECT_ID=my-project
	@test -n "$(PROJECT_ID)" || { echo "error: say which project: make dvc-init PROJECT_ID=my-project" >&2; exit 2; }
	@test -d .dvc || dvc init --quiet $$(git rev-parse --git-dir >/dev/null 2>&1 || echo --no-scm)
	@dvc remote add --force --default gcs gs://$(PROJECT_ID)-dvc-cache

.PHONY: dvc-status
dvc-status: $(VENV)/.pipeline ## Say which stages are out of date
	@dvc status

.PHONY: dvc-push
dvc-push: $(VENV)/.pipeline ## Upload data, models and the run cache to the remote
	@dvc push --run-cache

.PHONY: dvc-pull
dvc-pull: $(VENV)/.pipeline ## Download data, models and the run cache from the remote
	@dvc pull --run-cache

.PHONY: dvc-pipeline
dvc-pipeline: $(VENV)/.pipeline ## Draw the pipeline
	@dvc dag

##@ Code

.PHONY: lint
lint: install ## Check style, format and types
	ruff check .
	ruff format --check .
	mypy

.PHONY: format
format: install ## Put style and format right
	ruff check --fix .
	ruff format .

.PHONY: lock
lock: $(UV) ## Resolve pyproject.toml into requirements/*.txt (UPGRADE=1 takes the newest versions)
	@compile="$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header"; \
	compile="$$compile$(if $(UPGRADE), --upgrade)"; \
	$$compile pyproject.toml --group development --output-file requirements/development.txt; \
	compile="$$compile --constraint requirements/development.txt"; \
	$$compile --group installer --output-file requirements/installer.txt; \
	$$compile pyproject.toml --output-file requirements/serving.txt; \
	for group in functions pipeline; do \
	  $$compile pyproject.toml --group $$group --output-file requirements/$$group.txt; \
	done; \
	for group in scanners docs; do \
	  $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header \
	    $(if $(UPGRADE),--upgrade) --group $$group --output-file requirements/$$group.txt; \
	done

##@ Documentation

.PHONY: docs
docs: $(SITE) ## Build the site of the documentation into build/docs; a broken link ends it
	@rm -rf build/docs
	@.venv-docs/bin/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env \
	  --conf-dir docs/site --doctree-dir build/docs-parsed . build/docs
	@echo "open build/docs/index.html"

.PHONY: docs-images
docs-images: train install ## Take the pictures of the pages from the real system, with Chromium
	@PYTHONPATH=. python docs/images/take.py

.PHONY: test-docs
test-docs: install $(SITE) ## Test the site, and that the tools take every command of the pages
	pytest -m docs -n 2 tests/docs

##@ Performance

.PHONY: bench
bench: train install ## Measure speed, start, memory and pipeline against their budgets (ARGS=--quick)
	@python -m benchmarks $(ARGS)

.PHONY: bench-peers
bench-peers: train install ## Measure other scikit-learn servers beside this one (ARGS=--quick)
	@python -m benchmarks.peers $(ARGS)

.PHONY: demo-reload
demo-reload: train install ## Show a model taking over under load, and a rollback, with the failed requests counted
	@python -m benchmarks.reload $(ARGS)

##@ Monitoring

.PHONY: monitoring
monitoring: $(VENV)/.pipeline ## Make the alert policies of Terraform from the Prometheus rules
	@python -m monitoring.policies

.PHONY: test-monitoring
test-monitoring: install ## Test rules, policies and dashboards in a real Prometheus
	pytest -m "" -n 2 --dist loadfile tests/monitoring

##@ Image

# What the image says of itself; a remote's address may hold a password.
VERSION = $(shell git describe --tags --always --dirty 2>/dev/null)
REVISION = $(shell git rev-parse HEAD 2>/dev/null)
SOURCE = $(shell git remote get-url origin 2>/dev/null | sed 's|//[^/@]*@|//|')

.PHONY: build
build: train ## Build the serving image around the released model
	docker build $(DOCKER_BUILD_FLAGS) --tag $(IMAGE) \
	  --build-arg "VERSION=$(or $(VERSION),development)" \
	  --build-arg "REVISION=$(or $(REVISION),unknown)" \
	  --build-arg "SOURCE=$(or $(SOURCE),unknown)" .

.PHONY: run-docker stop-docker
run-docker: build ## Start the local stack: service, Redis, MLflow, Prometheus, Grafana (docs/serving.md)
	docker build $(DOCKER_BUILD_FLAGS) --tag $(IMAGE)-pipeline --target pipeline .
	IMAGE=$(IMAGE) PIPELINE_IMAGE=$(IMAGE)-pipeline API_PORT=$${API_PORT:-$(PORT)} MLFLOW_PORT=$(MLFLOW_PORT) \
	  docker compose up --detach --no-build
	@echo "serving on http://localhost:$(PORT); dashboards on http://localhost:$${GRAFANA_PORT:-3000}"
stop-docker: ## Stop the local stack
	docker compose down

.PHONY: test-container
test-container: install $(SCANNERS) ## Test the image and the local stack in a real container engine
	pytest -m container tests/container

##@ Kubernetes (K8S_OVERLAY=gke for GKE)

.PHONY: k8s-setup k8s-setup-kind k8s-deploy k8s-status k8s-logs k8s-port-forward k8s-test k8s-delete k8s-clean
k8s-setup: ## Start a local cluster with minikube
	@k8s/cluster.sh setup
k8s-setup-kind: ## Start a local cluster with kind
	@k8s/cluster.sh setup-kind
k8s-deploy: ## Deploy the built image (make build) and wait until it serves
	@k8s/cluster.sh deploy
k8s-status: ## Show pods, autoscaler and jobs
	@k8s/cluster.sh status
k8s-logs: ## Follow the pods' logs
	@k8s/cluster.sh logs
k8s-port-forward: ## Serve the cluster's service on http://localhost:8000
	@k8s/cluster.sh port-forward
k8s-test: ## Predict through the service, and print what it answers
	@k8s/cluster.sh predict
k8s-delete: ## Delete everything that k8s-deploy made
	@k8s/cluster.sh delete
k8s-clean: ## Delete the local cluster
	@k8s/cluster.sh clean

.PHONY: k8s-check test-rollout
k8s-check: install $(SCANNERS) $(SCHEMAS) ## Check the manifests: agreement, schemas, checkov
	pytest -m k8s -n 2 tests/k8s
test-rollout: install build ## Prove with containers, HAProxy and wrk that a roll-out loses no request
	pytest -m rollout -s tests/k8s

##@ Functions

.PHONY: functions-source
functions-source: | $(VENV)/bin/python ## Write build/functions-source and its zip for Cloud Run functions (ARGS=--with-model)
	@python -m pipeline.functions_source $(ARGS)

##@ Infrastructure

TERRAFORM := terraform -chdir=terraform

.PHONY: bootstrap
bootstrap: ## From an empty project to a prediction: foundation, first build, service (terraform/bootstrap.sh)
	@terraform/bootstrap.sh $(ARGS)

.PHONY: terraform-init terraform-validate terraform-fmt terraform-plan terraform-apply terraform-destroy
terraform-init: ## Fetch the provider and connect to the state (terraform/backend.tf)
	@$(TERRAFORM) init $(ARGS)
terraform-validate: ## Check the configuration's types and references
	@$(TERRAFORM) validate $(ARGS)
terraform-fmt: ## Put the configuration's format right
	@$(TERRAFORM) fmt -recursive
terraform-plan: ## Show what apply would change
	@$(TERRAFORM) plan $(ARGS)
terraform-apply: ## Make the project what terraform.tfvars says, after a yes
	@$(TERRAFORM) apply $(ARGS)
terraform-destroy: ## Take everything away again, after a yes
	@$(TERRAFORM) destroy $(ARGS)

.PHONY: terraform-image
terraform-image: ## Write what serves now into terraform/image.auto.tfvars, for VMs or a region that are added
	@terraform/serving-image.sh

.PHONY: terraform-output terraform-refresh
terraform-output: ## Print the outputs (ARGS="-raw service_url" prints one)
	@$(TERRAFORM) output $(ARGS)
terraform-refresh: ## Take into the state what was changed elsewhere
	@$(TERRAFORM) apply -refresh-only $(ARGS)

.PHONY: terraform-test
terraform-test: install ## Test the configuration over mocks: every scenario, option and rule; no project needed
	pytest -m "" -n 2 tests/terraform

.PHONY: terraform-lint
terraform-lint: $(SCANNERS) ## Check the configuration's format, its security and its scripts
	$(TERRAFORM) fmt -check -recursive
	$(<D)/bin/checkov --directory terraform --framework terraform --skip-path terraform/tests --compact --quiet --skip-download
	shellcheck $$(find terraform -name '*.sh')

.PHONY: terraform-docs
terraform-docs: $(VENV)/.development ## Write the tables of variables and outputs in terraform/README.md
	@python terraform/document.py

##@ Delivery

ACTION ?= all
SUBSTITUTIONS ?=
comma := ,

# What Terraform knows of the project; asked when it is needed, and once.
TERRAFORM_SUBSTITUTIONS = $(eval TERRAFORM_SUBSTITUTIONS := $$(shell $(ASK_TERRAFORM)))$(TERRAFORM_SUBSTITUTIONS)
ASK_TERRAFORM = $(TERRAFORM) output -raw build_substitutions | grep '^_' || \
  echo "warning: Terraform does not know the project (see above): the build goes by the defaults of cloudbuild.yaml," \
  "without a second region, load balancer or VMs" >&2
REGION ?= $(or $(patsubst _REGION=%,%,$(filter _REGION=%,$(subst $(comma), ,$(TERRAFORM_SUBSTITUTIONS)))),europe-west1)

.PHONY: gcloud-submit
gcloud-submit: ## Submit a build (PROJECT_ID=my-project ACTION=all, train, deploy or rollback)
	@test -n "$(PROJECT_ID)" || { echo "error: say which project: make gcloud-submit PROJECT_ID=my-project" >&2; exit 2; }
	gcloud builds submit --project="$(PROJECT_ID)" --region="$(REGION)" --config=cloudbuild.yaml \
	  --gcs-source-staging-dir="gs://$(PROJECT_ID)_cloudbuild/source" \
	  --substitutions="_ACTION=$(ACTION)$(addprefix $(comma),$(TERRAFORM_SUBSTITUTIONS))$(if $(SUBSTITUTIONS),$(comma)$(SUBSTITUTIONS))" .

.PHONY: test-delivery
test-delivery: install $(SCANNERS) ## Run the build's steps on this machine, with a real registry and container engine
	pytest -m "" tests/delivery

##@ Cleaning

.PHONY: clean
clean: ## Delete caches and what the pipeline makes again; never raw data, experiments or the champion
	rm -rf artifacts data/processed models build dist htmlcov .coverage .coverage.* *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find functions pipeline benchmarks monitoring tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Environments: each stamp says which locked set is in .venv.

$(VENV)/bin/python:
	@$(REQUIRE_PYTHON)
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(UV): requirements/installer.txt | $(VENV)/bin/python
	@echo "installing uv"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.pipeline: requirements/pipeline.txt pyproject.toml | $(UV)
	@echo "installing $<"
	@$(UV) pip install --require-hashes -r $<
	@touch $@

$(VENV)/.development: requirements/development.txt pyproject.toml | $(UV)
	@echo "installing $<"
	@$(UV) pip install --require-hashes -r $<
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.pipeline

$(SCANNERS): requirements/scanners.txt | $(UV)
	@echo "installing $<"
	@$(UV) venv --quiet --clear $(@D)
	@$(UV) pip install --quiet --python $(@D)/bin/python --require-hashes -r $<
	@touch $@

$(SITE): requirements/docs.txt docs/site/package-lock.json | $(UV)
	@command -v npm >/dev/null || { echo "error: there is no npm here; install it: apt-get install npm" >&2; exit 1; }
	@echo "installing $< and $(word 2,$^)"
	@$(UV) venv --quiet --clear $(@D)
	@$(UV) pip install --quiet --python $(@D)/bin/python --require-hashes -r $<
	@cp docs/site/package.json docs/site/package-lock.json $(@D)
	@npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

$(SCHEMAS): tests/k8s/schemas/package-lock.json
	@command -v npm >/dev/null || { echo "error: there is no npm here; install it: apt-get install npm" >&2; exit 1; }
	@echo "installing $<"
	@npm ci --prefix $(<D) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@
