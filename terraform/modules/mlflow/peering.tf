# Cloud SQL lives in a network of Google's, which is peered with ours in a range of our addresses.

resource "google_compute_global_address" "database" {
  project       = var.project_id
  name          = "${var.name}-database"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 24
  network       = var.network_id
  labels        = var.labels
}

resource "google_service_networking_connection" "database" {
  network                 = var.network_id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.database.name]

  # Google frees the range some days after the last database, and refuses until then
  deletion_policy = "ABANDON"
}
