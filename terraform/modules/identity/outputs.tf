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
