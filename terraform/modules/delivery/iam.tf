locals {
  scheduled = var.retraining_schedule != ""
  watching  = var.functions_source != null && var.repository != ""

  # Who starts the data trigger.
  runners = merge(
    local.watching ? { functions = var.functions_service_account } : {},
    local.scheduled ? { scheduler = var.scheduler_service_account } : {},
  )
}

resource "google_project_iam_member" "trigger_runner" {
  for_each = local.runners

  project = var.project_id
  role    = var.trigger_runner_role
  member  = "serviceAccount:${each.value}"
}

# A build runs as the builder, and so takes leave to act as it.
resource "google_service_account_iam_member" "acts_as_builder" {
  for_each = local.runners

  service_account_id = var.builder_service_account
  role               = "roles/iam.serviceAccountUser"
  member             = "serviceAccount:${each.value}"
}

# Storage announces new objects on a topic that Eventarc makes, so the right can't be on the topic.
resource "google_project_iam_member" "storage_publishes" {
  count = local.watching ? 1 : 0

  project = var.project_id
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${data.google_storage_project_service_account.default[0].email_address}"
}

resource "google_project_iam_member" "functions_receive_events" {
  count = var.functions_source == null ? 0 : 1

  project = var.project_id
  role    = "roles/eventarc.eventReceiver"
  member  = "serviceAccount:${var.functions_service_account}"
}
