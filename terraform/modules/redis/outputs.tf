output "uri" {
  description = "RATELIMIT_STORAGE_URI, password and certificate authority included."
  value       = local.uri
  sensitive   = true
}

output "uri_secret_id" {
  description = "Short name of the secret whose newest version is RATELIMIT_STORAGE_URI; known once it can be read."
  value       = google_secret_manager_secret.uri.secret_id

  depends_on = [google_secret_manager_secret_iam_member.accessor, google_secret_manager_secret_version.uri]
}
