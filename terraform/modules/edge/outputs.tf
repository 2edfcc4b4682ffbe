output "backend_names" {
  description = "Names of the backend services."
  value = {
    candidate = google_compute_backend_service.candidate.name
    cloud_run = google_compute_backend_service.cloud_run.name
    vm        = google_compute_backend_service.vm.name
  }
}

output "candidate_token" {
  description = "Value of X-Candidate that reaches the revision under test."
  value       = local.candidate_token
  sensitive   = true
}

output "host" {
  description = "Domain, or address without one."
  value       = local.host
}

output "ip_address" {
  description = "Address that the domain's A record has to point at."
  value       = google_compute_global_address.default.address
}

output "probe_token" {
  description = "What follows run- and vm- in X-Probe-Backend."
  value       = local.probe_token
  sensitive   = true
}

output "proxy_id" {
  description = "The proxy whose URL map is switched."
  value       = one(concat(google_compute_target_https_proxy.default[*].id, google_compute_target_http_proxy.trial[*].id))
}

output "security_policy_name" {
  description = "Cloud Armor's policy; null without it."
  value       = one(google_compute_security_policy.default[*].name)
}

output "url" {
  description = "Address of the service."
  value       = "${local.tls ? "https" : "http"}://${local.host}"
}

output "url_map_ids" {
  description = "Ids of the URL maps: primary and fallback."
  value       = { for name, map in google_compute_url_map.default : name => map.id }
}

output "vm_backend_id" {
  description = "Backend service of the fallback."
  value       = local.backend_ids.vm
}
