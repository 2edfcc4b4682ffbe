resource "google_compute_network" "default" {
  project                 = var.project_id
  name                    = var.name
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "default" {
  for_each = var.regions

  project                  = var.project_id
  name                     = each.key == "primary" ? "${var.name}-subnet" : "${var.name}-subnet-${each.key}"
  region                   = each.value
  network                  = google_compute_network.default.id
  ip_cidr_range            = var.ranges[each.key]
  private_ip_google_access = true # Storage, Artifact Registry and the others without an address of one's own

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}
