resource "google_redis_instance" "default" {
  count = var.enabled ? 1 : 0

  project = var.project_id
  region  = var.region
  name    = var.name

  redis_version  = "REDIS_7_2"
  tier           = "BASIC" # while it is away, each instance counts for itself; a replica would double the price
  memory_size_gb = 1       # the least there is, and enough for millions of clients' counters

  authorized_network      = var.network_id
  connect_mode            = "DIRECT_PEERING"
  auth_enabled            = true
  transit_encryption_mode = "SERVER_AUTHENTICATION"

  deletion_protection = var.deletion_protection
  labels              = var.labels
}
