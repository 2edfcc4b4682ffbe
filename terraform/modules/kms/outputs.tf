output "key_ids" {
  description = "The key of each use: disks, registry, secrets, storage. Waits until the service agents may use them."
  value       = local.key_ids
  depends_on  = [google_kms_crypto_key_iam_member.users]
}
