# Those who may reach the VM: through IAP, by OS Login, with sudo for systemctl and docker.

locals {
  operators = toset([for user in var.iap_tunnel_users : length(split(":", user)) > 1 ? user : "user:${user}"])
  operator_bindings = {
    for pair in setproduct(local.operators, ["roles/compute.osAdminLogin", "roles/compute.viewer"]) :
    "${pair[0]}/${pair[1]}" => { member = pair[0], role = pair[1] }
  }
}

resource "google_iap_tunnel_iam_member" "operators" {
  for_each = local.operators

  project = var.project_id
  role    = "roles/iap.tunnelResourceAccessor"
  member  = each.value

  condition {
    title      = "ssh-only"
    expression = "destination.port == 22"
  }
}

resource "google_project_iam_member" "operators" {
  for_each = local.operator_bindings

  project = var.project_id
  role    = each.value.role
  member  = each.value.member
}

# OS Login lets nobody onto a VM whose service account they may not act as.
resource "google_service_account_iam_member" "operators_act_as_vm" {
  for_each = local.operators

  service_account_id = google_service_account.default["vm"].id
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}
