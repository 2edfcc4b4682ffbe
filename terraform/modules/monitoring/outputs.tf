output "email_channel_ids" {
  description = "Notification channels of the type e-mail."
  value       = [for channel in google_monitoring_notification_channel.default : channel.id if channel.type == "email"]
}

output "notification_channel_ids" {
  description = "All notification channels."
  value       = local.channel_ids
}

output "service_level_objectives" {
  description = "Full names of the objectives."
  value       = { for key, objective in google_monitoring_slo.default : key => objective.name }
}
