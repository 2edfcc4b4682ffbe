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

resource "google_project_iam_member" "roller" {
  project = var.project_id
  role    = var.roller_role
  member  = var.roller
}
