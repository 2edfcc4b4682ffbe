output "project_id" {
  description = "The project's id, for whatever has to wait for its services."
  value       = var.project_id
  depends_on  = [google_project_service.default]
}

output "project_number" {
  description = "The project's number."
  value       = tostring(data.google_project.default.number)
}
