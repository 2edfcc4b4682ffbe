output "service_account_email" {
  description = "E-mail address of the server's service account."
  value       = google_service_account.server.email
}

output "tracking_uri" {
  description = "MLFLOW_TRACKING_URI of those who track runs on the server, and its address in a browser."
  value       = "https://${local.host}"
}
