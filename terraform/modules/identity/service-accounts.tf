# One identity for each thing that acts, so that each has only what it needs. None has a key.

locals {
  service_accounts = {
    builder   = { name = "mlops-builder-sa", does = "Cloud Build: tests, trains, builds, deploys" }
    functions = { name = "mlops-functions-sa", does = "The functions: start retraining, turn the load balancer" }
    runtime   = { name = var.runtime_name, does = "The service on Cloud Run" }
    scheduler = { name = "mlops-scheduler-sa", does = "Cloud Scheduler: starts retraining" }
    vm        = { name = "mlops-vm-sa", does = "The service on the VM" }
  }

  # What can be had on the project only: to write logs, metrics and traces.
  project_roles = {
    builder   = ["roles/logging.logWriter"]
    functions = ["roles/logging.logWriter"]
    runtime   = ["roles/cloudtrace.agent", "roles/logging.logWriter", "roles/monitoring.metricWriter"]
    scheduler = []
    vm        = ["roles/cloudtrace.agent", "roles/logging.logWriter", "roles/monitoring.metricWriter"]
  }
  project_bindings = merge([
    for key, roles in local.project_roles : { for role in roles : "${key}/${role}" => { key = key, role = role } }
  ]...)
}

resource "google_service_account" "default" {
  for_each = local.service_accounts

  project      = var.project_id
  account_id   = each.value.name
  display_name = each.value.does
}

resource "google_project_iam_member" "writers" {
  for_each = local.project_bindings

  project = var.project_id
  role    = each.value.role
  member  = "serviceAccount:${google_service_account.default[each.value.key].email}"
}

# A build deploys as these two, and as nobody else.
resource "google_service_account_iam_member" "builder_deploys_as" {
  for_each = toset(["runtime", "vm"])

  service_account_id = google_service_account.default[each.value].id
  role               = "roles/iam.serviceAccountUser"
  member             = "serviceAccount:${google_service_account.default["builder"].email}"
}
