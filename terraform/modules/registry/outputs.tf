output "repository_id" {
  description = "Name of the repository."
  value       = google_artifact_registry_repository.default.repository_id
}

output "repository_url" {
  description = "What the names of its images begin with."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.default.repository_id}"
}
