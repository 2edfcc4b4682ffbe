# One build file for all: the triggers differ in what starts them, and in what they ask of it.

locals {
  started = var.repository == "" ? {} : {
    data   = "Retrains and deploys: the function retrain starts it with _DATA_SOURCE, the schedule without"
    manual = "By hand: gcloud builds triggers run iris-api-manual --region=${var.region} --branch=${var.branch} --substitutions=_ACTION=deploy"
  }
  substitutions = merge(var.substitutions, { _ACTION = "all", _DATA_SOURCE = "" })
  ref           = "refs/heads/${var.branch}"
}

resource "google_cloudbuild_trigger" "push" {
  count = var.repository == "" ? 0 : 1

  project         = var.project_id
  location        = var.region # has to be the connection's
  name            = "iris-api-push"
  description     = "A push to ${var.branch} is tested, trained, built and deployed"
  service_account = var.builder_service_account
  filename        = "cloudbuild.yaml"
  substitutions   = local.substitutions

  # what changes the tests' verdict, the model or the image; a change of the docs builds nothing
  included_files = [
    "Dockerfile",
    "Makefile",
    "Procfile",
    "cloudbuild.yaml",
    "data/**",
    "dvc.yaml",
    "functions/**",
    "params.yaml",
    "pipeline/**",
    "pyproject.toml",
    "requirements/**",
    "tests/**",
  ]

  repository_event_config {
    repository = var.repository

    push {
      branch = "^${var.branch}$"
    }
  }
}

resource "google_cloudbuild_trigger" "started" {
  for_each = local.started

  project         = var.project_id
  location        = var.region
  name            = "iris-api-${each.key}"
  description     = each.value
  service_account = var.builder_service_account
  substitutions   = local.substitutions

  source_to_build {
    repository = var.repository
    ref        = local.ref
    repo_type  = var.repository_type
  }

  git_file_source {
    path       = "cloudbuild.yaml"
    repository = var.repository
    revision   = local.ref
    repo_type  = var.repository_type
  }
}
