output "function_name" {
  description = "Name of the function, for its logs."
  value       = google_cloudfunctions2_function.default.name
}
