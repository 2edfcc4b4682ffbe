output "network_id" {
  description = "The network's id."
  value       = google_compute_network.default.id
}

output "network_name" {
  description = "The network's name."
  value       = google_compute_network.default.name
}

output "subnetwork_ids" {
  description = "The subnets' ids, by the keys of regions."
  value       = { for key, subnetwork in google_compute_subnetwork.default : key => subnetwork.id }
}

output "subnetwork_names" {
  description = "The subnets' names, by the keys of regions."
  value       = { for key, subnetwork in google_compute_subnetwork.default : key => subnetwork.name }
}
