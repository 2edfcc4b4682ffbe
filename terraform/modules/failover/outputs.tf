output "function_name" {
  description = "Name of the function, for its logs."
  value       = google_cloudfunctions2_function.default.name
}

output "settings_object" {
  description = "BUCKET/NAME of the controllers' settings."
  value       = "${google_storage_bucket_object.settings.bucket}/${google_storage_bucket_object.settings.name}"
}

output "state_uri" {
  description = "The controllers' state."
  value       = local.settings.FAILOVER_STATE_URI
}
