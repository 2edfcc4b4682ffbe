# Everything is versioned, and only versions that something replaced are ever deleted by age: a
# bundle that is the champion, or an object that DVC still names, is never replaced.

locals {
  buckets = {
    builds = { name = "${var.project_id}_cloudbuild", current_days = 30, replaced_days = 1, prefixes = ["source/"] } # where gcloud builds submit puts sources
    dvc    = { name = "${var.project_id}-dvc-cache", current_days = null, replaced_days = 90, prefixes = [] }
    logs   = { name = "${var.project_id}-logs", current_days = 90, replaced_days = 1, prefixes = [] }
    models = { name = var.models_bucket, current_days = null, replaced_days = 90, prefixes = [] }
  }
}

resource "google_storage_bucket" "default" {
  #checkov:skip=CKV_GCP_62:Buckets log their use to the bucket logs, which can't log to itself
  for_each = local.buckets

  project                     = var.project_id
  name                        = each.value.name
  location                    = var.region
  force_destroy               = var.force_destroy
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = var.labels

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      with_state                 = "ARCHIVED"
      days_since_noncurrent_time = each.value.replaced_days
      num_newer_versions         = 1
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }

  dynamic "lifecycle_rule" { # sources of builds and logs only
    for_each = each.value.current_days == null ? [] : [each.value.current_days]
    content {
      action {
        type = "Delete"
      }
      condition {
        with_state     = "LIVE"
        age            = lifecycle_rule.value
        matches_prefix = each.value.prefixes
      }
    }
  }

  dynamic "logging" {
    for_each = each.key == "logs" ? [] : [local.buckets.logs.name]
    content {
      log_bucket        = logging.value
      log_object_prefix = each.key
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }
}

# Cloud Storage writes the access logs itself.
resource "google_storage_bucket_iam_member" "access_logs" {
  bucket = google_storage_bucket.default["logs"].name
  role   = "roles/storage.objectCreator"
  member = "group:cloud-storage-analytics@google.com"
}
