output "external_ip" {
  description = "Public address; null without one."
  value       = one(google_compute_address.public[*].address)
}

output "instance_group" {
  description = "The group, for a backend service."
  value       = google_compute_region_instance_group_manager.default.instance_group
}

output "internal_ip" {
  description = "Always null: the instances of a group come and go with theirs; vm_ssh_command finds one."
  value       = null
}

output "port_name" {
  description = "Name of the group's port that the service listens on."
  value       = one(google_compute_region_instance_group_manager.default.named_port).name
}

output "ssh_command" {
  description = "Finds a running instance and opens a shell there, through IAP."
  value = join(" ", [
    "gcloud compute ssh --tunnel-through-iap --project=${var.project_id}",
    "$(gcloud compute instance-groups managed list-instances ${var.name} --project=${var.project_id} --region=${var.region}",
    "--filter=instanceStatus=RUNNING --limit=1 --uri)",
  ])
}

output "url" {
  description = "Address of a public VM; null behind the load balancer."
  value = var.public == null ? null : (
    local.tls ? "https://${var.public.domain}" : "http://${google_compute_address.public[0].address}:${var.container_port}"
  )
}

output "vm_name" {
  description = "Name of the group."
  value       = google_compute_region_instance_group_manager.default.name
}

output "vm_zone" {
  description = "Zone or, of a group, region."
  value       = var.public == null ? var.region : var.zone
}
