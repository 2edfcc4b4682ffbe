# What the controllers remember between rounds, and what the VM's asks for its settings. In the function's region.

locals {
  state_object = "failover/state.json"

  settings = {
    FAILOVER_ACTIVE_BACKEND   = var.active_backend
    FAILOVER_FAILBACK         = var.failback
    FAILOVER_FALLBACK_URL_MAP = var.url_map_ids["fallback"]
    FAILOVER_PRIMARY_URL_MAP  = var.url_map_ids["primary"]
    FAILOVER_PROBE_TOKEN      = var.probe_token
    FAILOVER_PROXY            = var.proxy_id
    FAILOVER_STATE_URI        = "gs://${google_storage_bucket.default.name}/${local.state_object}"
    FAILOVER_URL              = var.url
    FAILOVER_VM_BACKEND       = var.vm_backend_id
    GOOGLE_CLOUD_PROJECT      = var.project_id
  }
}

resource "google_storage_bucket" "default" {
  project  = var.project_id
  name     = var.bucket
  location = var.region
  labels   = var.labels

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # a few lines of state, which the controllers write anew

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions = 1440 # a day of rounds
    }
  }

  logging {
    log_bucket        = var.log_bucket
    log_object_prefix = var.bucket
  }
}

# The VM's timer reads its settings here, not from its template: a change of the switch's position must not roll
# the machines that it turns to.
resource "google_storage_bucket_object" "settings" {
  bucket       = google_storage_bucket.default.name
  name         = var.settings_object
  content      = join("", [for name, value in local.settings : "${name}=${value}\n"])
  content_type = "text/plain"
}
