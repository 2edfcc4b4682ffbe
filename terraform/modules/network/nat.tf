# Outgoing connections only: nothing in the network has an address that can be called.

resource "google_compute_router" "default" {
  for_each = var.regions

  project = var.project_id
  name    = each.key == "primary" ? "${var.name}-router" : "${var.name}-router-${each.key}"
  region  = each.value
  network = google_compute_network.default.id
}

resource "google_compute_router_nat" "default" {
  for_each = var.regions

  project                            = var.project_id
  name                               = each.key == "primary" ? "${var.name}-nat" : "${var.name}-nat-${each.key}"
  region                             = each.value
  router                             = google_compute_router.default[each.key].name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}
