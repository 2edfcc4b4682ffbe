# Managed Prometheus beside the service: it scrapes /metrics over loopback, which the service allows to nobody else.

locals {
  collector_image = "us-docker.pkg.dev/cloud-ops-agents-artifacts/cloud-run-gmp-sidecar/cloud-run-gmp-sidecar:1.2.0"
}

# Its configuration holds no secret; a secret is the only file that Cloud Run mounts without a bucket. It is there with
# and without the collector: the revision that serves when the collector is taken out still mounts it, and could start
# no instance without it.
resource "google_secret_manager_secret" "collector" {
  project   = var.project_id
  secret_id = "${var.name}-metrics-collector"
  labels    = var.labels

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "collector" {
  secret = google_secret_manager_secret.collector.id
  secret_data = yamlencode({
    apiVersion = "monitoring.googleapis.com/v1beta"
    kind       = "RunMonitoring"
    metadata   = { name = var.name }
    spec = {
      endpoints    = [{ port = tostring(var.container_port), path = "/metrics", interval = "30s" }]
      targetLabels = { metadata = ["service", "revision", "instance"] }
    }
  })
}

resource "google_secret_manager_secret_iam_member" "collector" {
  project   = var.project_id
  secret_id = google_secret_manager_secret.collector.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${var.service_account_email}"
}
