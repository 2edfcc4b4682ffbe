# Every minute: Scheduler, a topic, the function. In another region than the service's, which may be what is down.

resource "google_pubsub_topic" "default" {
  #checkov:skip=CKV_GCP_83:its messages say "probe" and nothing else, and the keys are in the region that may be down
  project = var.project_id
  name    = var.name
  labels  = var.labels

  message_retention_duration = "600s" # a probe that comes later says nothing
}

resource "google_cloud_scheduler_job" "default" {
  project     = var.project_id
  name        = var.name
  region      = var.region
  description = "Wakes the failover function"
  schedule    = "* * * * *"
  time_zone   = "Etc/UTC"

  pubsub_target {
    topic_name = google_pubsub_topic.default.id
    data       = base64encode("probe")
  }
}

resource "google_cloudfunctions2_function" "default" {
  project     = var.project_id
  name        = var.name
  location    = var.region
  description = "Probes Cloud Run and the VM through the load balancer, and turns it to the VM when Cloud Run is down"
  labels      = var.labels

  build_config {
    runtime           = "python313"
    entry_point       = "fail_over"
    service_account   = var.builder_id
    docker_repository = google_artifact_registry_repository.default.id

    source {
      storage_source {
        bucket = var.source_archive.bucket
        object = var.source_archive.name
      }
    }
  }

  event_trigger {
    trigger_region        = var.region
    event_type            = "google.cloud.pubsub.topic.v1.messagePublished"
    pubsub_topic          = google_pubsub_topic.default.id
    retry_policy          = "RETRY_POLICY_DO_NOT_RETRY" # the next minute's message is the retry
    service_account_email = var.function_email
  }

  service_config {
    service_account_email            = var.function_email
    ingress_settings                 = "ALLOW_INTERNAL_ONLY"
    environment_variables            = local.settings
    available_memory                 = "256Mi"
    timeout_seconds                  = 180 # three probes fifteen seconds apart, and Compute Engine's operation
    min_instance_count               = 0
    max_instance_count               = 1
    max_instance_request_concurrency = 1
  }

  depends_on = [google_artifact_registry_repository_iam_member.builder]
}

# Where the function's image is kept: a function takes none from another region's registry.
resource "google_artifact_registry_repository" "default" {
  #checkov:skip=CKV_GCP_84:holds the function's code, which is public, and the keys are in the region that may be down
  project       = var.project_id
  location      = var.region
  repository_id = var.name
  description   = "Images of the failover function"
  format        = "DOCKER"
  labels        = var.labels
}

resource "google_artifact_registry_repository_iam_member" "builder" {
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.default.name
  role       = "roles/artifactregistry.writer"
  member     = "serviceAccount:${split("/serviceAccounts/", var.builder_id)[1]}"
}
