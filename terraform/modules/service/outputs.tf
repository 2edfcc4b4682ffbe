output "locations" {
  description = "Regions of the services by role."
  value       = { for role, service in google_cloud_run_v2_service.default : role => service.location }
}

output "name" {
  description = "Name of the service, the same in each region."
  value       = google_cloud_run_v2_service.default["primary"].name
}

output "timeout_seconds" {
  description = "Time that a request may take."
  value       = local.timeout_seconds
}

output "uri" {
  description = "The service's own address; null behind the load balancer, where it is off."
  value       = var.behind_load_balancer ? null : google_cloud_run_v2_service.default["primary"].uri
}
