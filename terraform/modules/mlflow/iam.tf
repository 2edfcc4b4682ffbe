resource "google_service_account" "server" {
  project      = var.project_id
  account_id   = "mlops-mlflow-sa"
  display_name = "MLflow's tracking server"
}

# Cloud SQL has no policies on instances; the condition holds the rights to this one.
resource "google_project_iam_member" "database" {
  for_each = toset(["roles/cloudsql.client", "roles/cloudsql.instanceUser"])

  project = var.project_id
  role    = each.value
  member  = "serviceAccount:${google_service_account.server.email}"

  condition {
    title      = "mlflow-database-only"
    expression = "resource.name == \"projects/${var.project_id}/instances/${var.name}\" && resource.service == \"sqladmin.googleapis.com\""
  }
}

# The artifacts share their bucket with the models that serve, which the server may not touch.
resource "google_storage_bucket_iam_member" "artifacts" {
  bucket = local.bucket
  role   = "roles/storage.objectUser"
  member = "serviceAccount:${google_service_account.server.email}"

  condition {
    title      = "artifacts-only"
    expression = <<-EOT
      resource.name.startsWith("projects/_/buckets/${local.bucket}/objects/${local.prefix}")
      || (resource.type == "storage.googleapis.com/Bucket" && resource.name == "projects/_/buckets/${local.bucket}")
    EOT
  }
}

locals {
  bucket = split("/", var.artifacts_uri)[2]
  prefix = trimprefix(var.artifacts_uri, "gs://${local.bucket}/")
}

# IAP calls the service as itself; who may pass IAP is the next resource.
resource "google_cloud_run_v2_service_iam_member" "iap" {
  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.default.name
  role     = "roles/run.servicesInvoker"
  member   = "serviceAccount:service-${var.project_number}@gcp-sa-iap.iam.gserviceaccount.com"
}

resource "google_iap_web_cloud_run_service_iam_member" "users" {
  for_each = toset([for user in var.users : can(regex(":", user)) ? user : "user:${user}"])

  project                = var.project_id
  location               = var.region
  cloud_run_service_name = google_cloud_run_v2_service.default.name
  role                   = "roles/iap.httpsResourceAccessor"
  member                 = each.value
}
