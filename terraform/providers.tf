provider "google" {
  project = var.project_id
  region  = var.region
  zone    = var.zone

  # requests are counted against this project, as billing budgets require with a user's credentials
  billing_project       = var.project_id
  user_project_override = true
}
