# The access log's lines of predictions, one a request, as rows: when, which model, how long, which
# answer. The features and the prediction itself are not in the log.

resource "google_bigquery_dataset" "default" {
  #checkov:skip=CKV_GCP_81:rows of a log that Cloud Logging holds under Google's key too; keys of one's own are for models, data and secrets
  project                         = var.project_id
  location                        = var.region
  dataset_id                      = "predictions"
  friendly_name                   = "Predictions"
  description                     = "Access log of the predictions: time, model's version, status, latency"
  default_partition_expiration_ms = var.retention_days * 24 * 60 * 60 * 1000
  delete_contents_on_destroy      = var.delete_contents_on_destroy
  labels                          = var.labels
}

resource "google_logging_project_sink" "default" {
  project                = var.project_id
  name                   = "predictions"
  description            = "Predictions to BigQuery"
  destination            = "bigquery.googleapis.com/${google_bigquery_dataset.default.id}"
  unique_writer_identity = true

  # X-Model-Version is on answers of predictions only, and so is the field
  filter = <<-EOT
    resource.type=("cloud_run_revision" OR "gce_instance" OR "k8s_container")
    jsonPayload.message="request"
    jsonPayload.model_version:*
  EOT

  bigquery_options {
    use_partitioned_tables = true
  }
}

resource "google_bigquery_dataset_iam_member" "sink" {
  project    = var.project_id
  dataset_id = google_bigquery_dataset.default.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_logging_project_sink.default.writer_identity
}
