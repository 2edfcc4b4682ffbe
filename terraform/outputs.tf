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

output "build_substitutions" {
  description = "What cloudbuild.yaml has to be told about this project: gcloud builds submit --substitutions=_ACTION=train,THIS."
  value       = join(",", [for name, value in local.build_substitutions : "${name}=${value}"]) # also what is empty: without Cloud Run, _SERVICE has to be said
  sensitive   = true                                                                           # the candidate's token
}

output "builder_service_account_id" {
  description = "Full name of the service account that builds run as."
  value       = module.identity.ids["builder"]
}

output "gke_credentials_command" {
  description = "Command that lets kubectl reach the cluster. null without one."
  value       = one(module.gke[*].credentials_command)
}

output "load_balancer_ip" {
  description = "Address that the domain's A record has to point at. null without a load balancer."
  value       = one(module.edge[*].ip_address)
}

output "load_balancer_url" {
  description = "The service's address behind the load balancer. null without one."
  value       = one(module.edge[*].url)
}

output "mlflow_tracking_uri" {
  description = "Where MLflow's artifacts are."
  value       = local.mlflow_tracking_uri
}

output "mlflow_url" {
  description = "The MLflow server's address, in a browser and as MLFLOW_TRACKING_URI. null without one."
  value       = one(module.mlflow[*].tracking_uri)
}

output "monitoring_enabled" {
  description = "Whether alerts, SLOs and dashboard exist."
  value       = local.monitoring_enabled
}

output "network_name" {
  description = "The VPC."
  value       = module.network.network_name
}

output "prediction_dataset" {
  description = "BigQuery dataset of the log of predictions, PROJECT.DATASET. null without one."
  value       = one(module.prediction_sink[*].dataset)
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
  value       = one(compact(concat(module.edge[*].url, module.fallback_vm[*].url, module.service[*].uri)))
}

output "subnetwork_name" {
  description = "The subnet in region."
  value       = module.network.subnetwork_names["primary"]
}

output "trigger_ids" {
  description = "Full names of Cloud Build's triggers: data, manual, push. Empty without repository."
  value       = module.delivery.trigger_ids
}

output "vm_external_ip" {
  description = "Public address of the VM. null without enable_public_ip."
  value       = one(module.fallback_vm[*].external_ip)
}

output "vm_internal_ip" {
  description = "Private address of the VM. null for a group of VMs: vm_ssh_command finds one."
  value       = one(module.fallback_vm[*].internal_ip)
}

output "vm_name" {
  description = "The VM, or the group of VMs. null without one."
  value       = one(module.fallback_vm[*].vm_name)
}

output "vm_ssh_command" {
  description = "Opens a shell on the VM, or on an instance of the group."
  value       = one(module.fallback_vm[*].ssh_command)
}

output "vm_zone" {
  description = "Zone of the VM; region of a group."
  value       = one(module.fallback_vm[*].vm_zone)
}

output "zone" {
  description = "The zone of what has one."
  value       = local.zone
}
