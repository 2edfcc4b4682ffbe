resource "google_sql_database" "default" {
  project  = var.project_id
  instance = google_sql_database_instance.default.name
  name     = "mlflow"

  deletion_policy = "ABANDON" # it goes with the instance; its tables belong to a user that goes first
}

resource "google_sql_user" "server" {
  project  = var.project_id
  instance = google_sql_database_instance.default.name
  name     = trimsuffix(google_service_account.server.email, ".gserviceaccount.com") # as Postgres knows it
  type     = "CLOUD_IAM_SERVICE_ACCOUNT"

  # the server makes and migrates its tables, and has the instance for itself
  database_roles = ["cloudsqlsuperuser"]

  deletion_policy = "ABANDON" # a user that owns tables can't be deleted; it goes with the instance
}
