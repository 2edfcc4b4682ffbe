output "email_channel_ids" {
  description = "Notification channels of the type e-mail."
  value       = [for channel in google_monitoring_notification_channel.default : channel.id if channel.type == "email"]
}
