# Which image the machines run is one line in Storage, read at each start of mlops-api.service, and no part of the
# template: Cloud Build writes it and rolls the group, and a VM that heals or scales out takes the same.
resource "google_storage_bucket_object" "image" {
  bucket       = var.models_bucket
  name         = "deployment/vm-image.txt"
  content      = "${var.image}\n"
  content_type = "text/plain"

  lifecycle {
    ignore_changes = [content, content_type, detect_md5hash] # the first image is Terraform's, later ones are Cloud Build's
  }
}

# What a roll needs, and no more: there is no such role, and no IAM on a single group.
resource "google_project_iam_custom_role" "roller" {
  project     = var.project_id
  role_id     = "mlopsVmRoller"
  title       = "Rolls the VM group to another image"
  description = "For Cloud Build: replace or restart the group's instances, and wait for them"

  permissions = [
    "compute.instanceGroupManagers.get",
    "compute.instanceGroupManagers.list",
    "compute.instanceGroupManagers.update",
    "compute.instanceTemplates.get",
    "compute.instanceTemplates.useReadOnly",
    "compute.regionOperations.get",
    "compute.regions.get",
  ]
}

resource "google_project_iam_member" "roller" {
  project = var.project_id
  role    = google_project_iam_custom_role.roller.id
  member  = var.roller
}
