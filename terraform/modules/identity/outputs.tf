output "emails" {
  description = "E-mail addresses of the service accounts: builder, functions, runtime, scheduler, vm."
  value       = { for key, account in google_service_account.default : key => account.email }
}

output "ids" {
  description = "Full names of the service accounts, projects/P/serviceAccounts/E."
  value       = { for key, account in google_service_account.default : key => account.id }
}

output "members" {
  description = "The service accounts as members of a policy, serviceAccount:E."
  value       = { for key, account in google_service_account.default : key => "serviceAccount:${account.email}" }
}

output "roles" {
  description = "Full names of the custom roles: failover, trigger_runner, vm_roller."
  value       = { for key, role in google_project_iam_custom_role.default : key => role.name }
}
