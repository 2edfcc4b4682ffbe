output "tracking_uri" {
  description = "MLFLOW_TRACKING_URI of those who track runs on the server, and its address in a browser."
  value       = "https://${local.host}"
}
