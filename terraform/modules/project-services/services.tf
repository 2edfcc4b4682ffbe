resource "google_project_service" "default" {
  for_each = var.services

  project            = var.project_id
  service            = each.value
  disable_on_destroy = false # something else in the project may use it
}

data "google_project" "default" {
  project_id = var.project_id
}
