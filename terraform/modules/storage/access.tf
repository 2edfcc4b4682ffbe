# Who may do what, on the bucket itself.

locals {
  access = {
    "builds/builder"   = { bucket = "builds", key = "builder", role = "roles/storage.objectUser" }
    "builds/functions" = { bucket = "builds", key = "functions", role = "roles/storage.objectViewer" }
    "dvc/builder"      = { bucket = "dvc", key = "builder", role = "roles/storage.objectUser" }
    "models/builder"   = { bucket = "models", key = "builder", role = "roles/storage.objectUser" }
    "models/runtime"   = { bucket = "models", key = "runtime", role = "roles/storage.objectViewer" }
    "models/vm"        = { bucket = "models", key = "vm", role = "roles/storage.objectViewer" }
  }
}

resource "google_storage_bucket_iam_member" "default" {
  for_each = local.access

  bucket = google_storage_bucket.default[each.value.bucket].name
  role   = each.value.role
  member = var.members[each.value.key]
}
