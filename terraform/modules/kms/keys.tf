# A key for each use, so that taking away one does not take away the others. A given key serves all.

locals {
  uses = {
    disks    = "service-${var.project_number}@compute-system.iam.gserviceaccount.com"
    registry = "service-${var.project_number}@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    secrets  = "service-${var.project_number}@gcp-sa-secretmanager.iam.gserviceaccount.com"
    storage  = data.google_storage_project_service_account.default.email_address
  }
  key_ids = {
    for use in keys(local.uses) : use => var.key_name == null ? google_kms_crypto_key.default[use].id : var.key_name
  }
}

data "google_storage_project_service_account" "default" {
  project = var.project_id
}

resource "google_kms_key_ring" "default" {
  count = var.key_name == null ? 1 : 0

  project  = var.project_id
  name     = var.ring_name
  location = var.region
}

resource "google_kms_crypto_key" "default" {
  for_each = { for use in keys(local.uses) : use => use if var.key_name == null }

  name            = each.value
  key_ring        = google_kms_key_ring.default[0].id
  rotation_period = "7776000s" # 90 days
  labels          = var.labels

  lifecycle {
    prevent_destroy = true # whatever it encrypts would be lost with it
  }
}

resource "google_kms_crypto_key_iam_member" "users" {
  for_each = local.uses

  crypto_key_id = local.key_ids[each.key]
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:${each.value}"
}
