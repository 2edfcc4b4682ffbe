output "credentials_command" {
  description = "Command that lets kubectl reach the cluster."
  value       = "gcloud container clusters get-credentials ${google_container_cluster.default.name} --location=${var.region} --project=${var.project_id} --dns-endpoint"
}
