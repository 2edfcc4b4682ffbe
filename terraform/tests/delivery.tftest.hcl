# What starts a build, as whom, and what it may do.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id                = "iris-test"
  project_number            = "123456789012"
  region                    = "europe-west1"
  repository                = "projects/iris-test/locations/europe-west1/connections/github/repositories/mlops-core"
  repository_type           = "GITHUB"
  builder_service_account   = "projects/iris-test/serviceAccounts/mlops-builder-sa@iris-test.iam.gserviceaccount.com"
  functions_service_account = "mlops-functions-sa@iris-test.iam.gserviceaccount.com"
  scheduler_service_account = "mlops-scheduler-sa@iris-test.iam.gserviceaccount.com"
  image_repository          = "projects/iris-test/locations/europe-west1/repositories/mlops-repo"
  watched_bucket            = "iris-test-ml-models"
  functions_source          = { bucket = "iris-test-builds", name = "functions/source.zip" }
  retraining_schedule       = "0 3 * * 1"
  role_suffix               = ""
  trigger_runner_role       = "projects/iris-test/roles/mlopsTriggerRunner"
  substitutions             = { _REGION = "europe-west1" }
  services                  = { primary = { location = "europe-west1", name = "iris-api" } }
}

run "builds_as_the_builder_from_one_build_file" {
  module {
    source = "./modules/delivery"
  }

  assert {
    condition     = keys(output.trigger_ids) == ["data", "manual", "push"]
    error_message = "there are the three triggers"
  }

  assert {
    condition = alltrue([
      for trigger in concat(google_cloudbuild_trigger.push, values(google_cloudbuild_trigger.started)) :
      trigger.service_account == var.builder_service_account && trigger.location == "europe-west1"
      && trigger.substitutions == tomap({ _ACTION = "all", _DATA_SOURCE = "", _REGION = "europe-west1" })
    ])
    error_message = "each runs as the builder, where the connection is, with the same substitutions"
  }

  assert {
    condition = (
      google_cloudbuild_trigger.push[0].filename == "cloudbuild.yaml"
      && google_cloudbuild_trigger.push[0].repository_event_config[0].push[0].branch == "^main$"
      && alltrue([for trigger in google_cloudbuild_trigger.started : trigger.git_file_source[0].path == "cloudbuild.yaml" && trigger.source_to_build[0].ref == "refs/heads/main"])
    )
    error_message = "all read the same file of the same branch"
  }
}

run "retrains_on_new_data_once_each" {
  module {
    source = "./modules/delivery"
  }

  assert {
    condition = (
      google_cloudfunctions2_function.retrain[0].build_config[0].entry_point == "retrain"
      && google_cloudfunctions2_function.retrain[0].service_config[0].environment_variables == tomap({
        RETRAIN_PREFIX  = "data/"
        RETRAIN_TRIGGER = google_cloudbuild_trigger.started["data"].id
      })
    )
    error_message = "the function starts the data trigger for objects under data/"
  }

  assert {
    condition = (
      google_cloudfunctions2_function.retrain[0].service_config[0].max_instance_count == 1
      && google_cloudfunctions2_function.retrain[0].service_config[0].max_instance_request_concurrency == 1
    )
    error_message = "deliveries come one after another, so that a repeat is seen as one"
  }

  assert {
    condition = (
      google_cloudfunctions2_function.retrain[0].event_trigger[0].event_type == "google.cloud.storage.object.v1.finalized"
      && one(google_cloudfunctions2_function.retrain[0].event_trigger[0].event_filters).value == "iris-test-ml-models"
      && google_cloudfunctions2_function.retrain[0].service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    )
    error_message = "the watched bucket's events reach it, and nobody from outside does"
  }

  assert {
    condition = (
      google_cloud_scheduler_job.retrain[0].http_target[0].uri == "https://cloudbuild.googleapis.com/v1/${google_cloudbuild_trigger.started["data"].id}:run"
      && google_cloud_scheduler_job.retrain[0].http_target[0].oauth_token[0].service_account_email == var.scheduler_service_account
    )
    error_message = "the schedule starts the same trigger, as the scheduler's account"
  }
}

run "grants_what_is_needed_and_no_more" {
  module {
    source = "./modules/delivery"
  }

  assert {
    condition = (
      alltrue([for binding in google_project_iam_member.trigger_runner : binding.role == var.trigger_runner_role])
      && keys(google_project_iam_member.trigger_runner) == ["functions", "scheduler"]
      && alltrue([for binding in google_service_account_iam_member.acts_as_builder : binding.service_account_id == var.builder_service_account])
    )
    error_message = "function and schedule run triggers, and act as the builder only"
  }

  assert {
    condition = (
      google_cloud_run_v2_service_iam_member.builder_deploys["primary"].role == "roles/run.developer"
      && google_cloud_run_v2_service_iam_member.builder_deploys["primary"].name == "iris-api"
    )
    error_message = "the builder deploys the service, and can't make it public"
  }

  assert {
    condition     = contains(google_project_iam_custom_role.deployment_observer.permissions, "run.services.get")
    error_message = "the builder may know that there is no service yet"
  }

  assert {
    condition     = strcontains(google_project_iam_member.builder_reads_function_source[0].condition[0].expression, "projects/_/buckets/gcf-v2-sources-123456789012-")
    error_message = "what the builder reads of the project's buckets is the functions' source only"
  }

  assert {
    condition = alltrue([
      for member in concat(
        values(google_project_iam_member.trigger_runner)[*].member, google_project_iam_member.storage_publishes[*].member,
        google_cloud_run_v2_service_iam_member.retrain_invoker[*].member, values(google_cloud_run_v2_service_iam_member.builder_deploys)[*].member,
      ) : startswith(member, "serviceAccount:")
    ])
    error_message = "no grant is for the public"
  }
}

run "makes_no_trigger_without_a_repository" {
  module {
    source = "./modules/delivery"
  }

  variables {
    repository          = ""
    retraining_schedule = ""
    services            = {}
  }

  assert {
    condition     = length(output.trigger_ids) == 0 && length(google_cloudfunctions2_function.retrain) == 0 && output.function_name == null
    error_message = "builds are submitted by hand; the function would have nothing to start"
  }
}

run "refuses_to_watch_what_builds_write" {
  command = plan

  module {
    source = "./modules/delivery"
  }

  variables {
    watched_prefix = "models/"
  }

  expect_failures = [var.watched_prefix]
}
