output "function_name" {
  description = "Name of the function that retrains on new data. null without one."
  value       = one(google_cloudfunctions2_function.retrain[*].name)
}

output "trigger_ids" {
  description = "Full names of the triggers, projects/P/locations/R/triggers/ID: push, manual, data. Empty without a repository."
  value = merge(
    { for trigger in google_cloudbuild_trigger.push : "push" => trigger.id },
    { for key, trigger in google_cloudbuild_trigger.started : key => trigger.id },
  )
}
