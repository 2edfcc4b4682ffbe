output "dataset" {
  description = "The dataset, PROJECT.DATASET as queries name it."
  value       = "${var.project_id}.${google_bigquery_dataset.default.dataset_id}"
}
