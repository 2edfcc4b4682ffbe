# A new object under the watched prefix starts the data trigger. The function needs no access to the bucket.

data "google_storage_project_service_account" "default" {
  count = local.watching ? 1 : 0

  project = var.project_id
}

resource "google_cloudfunctions2_function" "retrain" {
  count = local.watching ? 1 : 0

  project     = var.project_id
  location    = var.region
  name        = "retrain"
  description = "Starts a training build when data arrive in gs://${var.watched_bucket}/${var.watched_prefix}"
  labels      = var.labels

  build_config {
    runtime           = "python313"
    entry_point       = "retrain"
    service_account   = var.builder_service_account
    docker_repository = var.image_repository

    source {
      storage_source {
        bucket = var.functions_source.bucket
        object = var.functions_source.name
      }
    }
  }

  service_config {
    available_memory      = "256Mi"
    timeout_seconds       = 60
    ingress_settings      = "ALLOW_INTERNAL_ONLY"
    service_account_email = var.functions_service_account

    # one delivery after another, so that a repeat sees the build that the first one started
    max_instance_count               = 1
    max_instance_request_concurrency = 1

    environment_variables = {
      RETRAIN_PREFIX  = var.watched_prefix
      RETRAIN_TRIGGER = google_cloudbuild_trigger.started["data"].id
    }
  }

  event_trigger {
    event_type            = "google.cloud.storage.object.v1.finalized"
    trigger_region        = var.region # the bucket's
    retry_policy          = "RETRY_POLICY_RETRY"
    service_account_email = var.functions_service_account

    event_filters {
      attribute = "bucket"
      value     = var.watched_bucket
    }
  }

  depends_on = [
    google_project_iam_member.builder_reads_function_source,
    google_project_iam_member.functions_receive_events,
    google_project_iam_member.storage_publishes,
    google_project_iam_member.trigger_runner,
    google_service_account_iam_member.acts_as_builder,
  ]
}

# Eventarc calls the function as the function's own account.
resource "google_cloud_run_v2_service_iam_member" "retrain_invoker" {
  count = local.watching ? 1 : 0

  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.retrain[0].name
  role     = "roles/run.servicesInvoker"
  member   = "serviceAccount:${var.functions_service_account}"
}
