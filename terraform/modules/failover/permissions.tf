# The controllers, the function and the VM's timer, may look at the load balancer and move the proxy's pointer.
locals {
  controllers = {
    for name, email in { function = var.function_email, vm = var.vm_email } : name => "serviceAccount:${email}"
    if name == "function" || var.vm_watchdog
  }
}

resource "google_project_iam_member" "controller" {
  for_each = local.controllers

  project = var.project_id
  role    = var.controller_role
  member  = each.value
}

# They write the state, and nothing else in the bucket.
resource "google_storage_bucket_iam_member" "state" {
  for_each = local.controllers

  bucket = google_storage_bucket.default.name
  role   = "roles/storage.objectUser"
  member = each.value

  condition {
    title      = "failover-state-only"
    expression = "resource.name == \"projects/_/buckets/${google_storage_bucket.default.name}/objects/${local.state_object}\""
  }
}

# They read all of it: the VM its settings, and each a state that may not be there yet. To an account that can't list the
# bucket Storage answers 403 for what does not exist, so the first round would never begin.
resource "google_storage_bucket_iam_member" "read" {
  for_each = local.controllers

  bucket = google_storage_bucket.default.name
  role   = "roles/storage.objectViewer"
  member = each.value
}

# Eventarc hands the topic's messages to the function as the function's account, which may receive events by what
# module delivery grants to all functions.
resource "google_cloud_run_v2_service_iam_member" "invoker" {
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.default.name
  role     = "roles/run.servicesInvoker"
  member   = local.controllers["function"]
}
