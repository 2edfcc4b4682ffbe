output "artifact_registry" {
  description = "What the names of the images begin with."
  value       = module.registry.repository_url
}

output "bucket_name" {
  description = "Bucket of models and MLflow's artifacts."
  value       = module.storage.buckets["models"]
}

output "bucket_url" {
  description = "The same as gs:// address."
  value       = module.storage.urls["models"]
}

output "load_balancer_ip" {
  description = "Address that the domain's A record has to point at. null without a load balancer."
  value       = null # serving
}

output "load_balancer_url" {
  description = "The service's address behind the load balancer. null without one."
  value       = null # serving
}

output "mlflow_tracking_uri" {
  description = "Where MLflow's artifacts are."
  value       = local.mlflow_tracking_uri
}

output "monitoring_enabled" {
  description = "Whether alerts, SLOs and dashboard exist."
  value       = local.monitoring_enabled
}

output "network_name" {
  description = "The VPC."
  value       = module.network.network_name
}

output "project_id" {
  description = "The project."
  value       = var.project_id
}

output "region" {
  description = "The region."
  value       = var.region
}

output "secret_manager_secret_name" {
  description = "Short name of the secret that holds the API key."
  value       = module.secrets.secret_id
}

output "service_account_email" {
  description = "E-mail address of the service account that the service runs as."
  value       = module.identity.emails["runtime"]
}

output "service_account_id" {
  description = "Full name of the same."
  value       = module.identity.ids["runtime"]
}

output "service_url" {
  description = "Where to call the service, whatever the scenario. null until an image is deployed."
  value       = null # serving
}

output "subnetwork_name" {
  description = "The subnet in region."
  value       = module.network.subnetwork_names["primary"]
}

output "vm_external_ip" {
  description = "Public address of the VM. null without enable_public_ip."
  value       = null # serving
}

output "vm_internal_ip" {
  description = "Private address of the VM. null for a group of VMs: vm_ssh_command finds one."
  value       = null # serving
}

output "vm_name" {
  description = "The VM, or the group of VMs. null without one."
  value       = null # serving
}

output "vm_ssh_command" {
  description = "Opens a shell on the VM, or on an instance of the group."
  value       = null # serving
}

output "vm_zone" {
  description = "Zone of the VM; region of a group."
  value       = null # serving
}

output "zone" {
  description = "The zone of what has one."
  value       = local.zone
}
