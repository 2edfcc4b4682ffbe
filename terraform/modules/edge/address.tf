resource "google_compute_global_address" "default" {
  project = var.project_id
  name    = var.name
  labels  = var.labels
}

# With the domain's zone in Cloud DNS, the name is pointed at the load balancer here.
resource "google_dns_record_set" "default" {
  count = local.zone_managed ? 1 : 0

  project      = var.project_id
  managed_zone = var.dns_managed_zone
  name         = "${var.domain}."
  type         = "A"
  ttl          = 300
  rrdatas      = [google_compute_global_address.default.address]
}
