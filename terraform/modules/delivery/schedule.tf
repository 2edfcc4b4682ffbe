resource "google_cloud_scheduler_job" "retrain" {
  count = local.scheduled ? 1 : 0

  project     = var.project_id
  region      = var.region
  name        = "iris-api-retrain"
  description = "Retrains on the data that params.yaml names"
  schedule    = var.retraining_schedule
  time_zone   = "Etc/UTC"

  attempt_deadline = "60s" # the call starts a build, and does not wait for it

  retry_config {
    retry_count = 3
  }

  http_target {
    http_method = "POST"
    uri         = "https://cloudbuild.googleapis.com/v1/${google_cloudbuild_trigger.started["data"].id}:run"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode("{}") # the trigger knows its branch

    oauth_token {
      service_account_email = var.scheduler_service_account
    }
  }
}
