output "secret_id" {
  description = "Short name of the secret."
  value       = var.secret_id
  depends_on  = [google_secret_manager_secret_version.default, google_secret_manager_secret_iam_member.accessors]
}

output "secret_name" {
  description = "Full name of the secret, for whatever reads it: it waits for the value and for the permission."
  value       = local.secret_name
  depends_on  = [google_secret_manager_secret_version.default, google_secret_manager_secret_iam_member.accessors]
}
