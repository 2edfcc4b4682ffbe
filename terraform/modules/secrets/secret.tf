locals {
  # a constant, unlike the resource's id: what reads it needs no second apply to know it
  secret_name = "projects/${var.project_id}/secrets/${var.secret_id}"
}

resource "google_secret_manager_secret" "default" {
  count = var.create ? 1 : 0

  project   = var.project_id
  secret_id = var.secret_id
  labels    = var.labels

  replication {
    dynamic "auto" {
      for_each = var.kms_key == null ? [1] : []
      content {}
    }

    dynamic "user_managed" { # a regional key can protect a replica in its own region only
      for_each = var.kms_key == null ? [] : [1]
      content {
        replicas {
          location = var.region

          customer_managed_encryption {
            kms_key_name = var.kms_key
          }
        }
      }
    }
  }
}

# The value is written and forgotten: no state keeps it. Later versions are added with
# gcloud secrets versions add, or here with a higher value_version.
resource "google_secret_manager_secret_version" "default" {
  count = var.create ? 1 : 0

  secret                 = google_secret_manager_secret.default[0].id
  secret_data_wo         = var.value == null ? "" : var.value # Secret Manager refuses to store an empty value
  secret_data_wo_version = var.value_version

  deletion_policy = "ABANDON" # a version that is replaced stays readable until its clients have the next one
}

resource "google_secret_manager_secret_iam_member" "accessors" {
  for_each = var.accessors

  project   = var.project_id
  secret_id = var.create ? google_secret_manager_secret.default[0].secret_id : var.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}
