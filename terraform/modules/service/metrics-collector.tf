# Managed Prometheus beside the service: it scrapes /metrics over loopback, which the service allows to nobody else.

locals {
  collector_image = "us-docker.pkg.dev/cloud-ops-agents-artifacts/cloud-run-gmp-sidecar/cloud-run-gmp-sidecar:1.2.0"
}

# Its configuration holds no secret; a secret is the only file that Cloud Run mounts without a bucket.
resource "google_secret_manager_secret" "collector" {
  count = var.metrics_collector ? 1 : 0

  project   = var.project_id
  secret_id = "${var.name}-metrics-collector"
  labels    = var.labels

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "collector" {
  count = var.metrics_collector ? 1 : 0

  secret = google_secret_manager_secret.collector[0].id
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
  count = var.metrics_collector ? 1 : 0

  project   = var.project_id
  secret_id = google_secret_manager_secret.collector[0].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${var.service_account_email}"
}
