output "name" {
  description = "The budget's full name."
  value       = google_billing_budget.default.name
}
