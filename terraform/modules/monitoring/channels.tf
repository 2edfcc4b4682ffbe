# "email:ADDRESS" and "pubsub:TOPIC", as users write them.

locals {
  channels = { for channel in var.notification_channels : channel => {
    type   = regex("^[a-z]+", channel)
    target = trimprefix(channel, "${regex("^[a-z]+", channel)}:")
  } }
  topics = { for key, channel in local.channels : key => channel.target if channel.type == "pubsub" }

  # a short name is a topic that is made here; a full one is somebody's
  own_topics = { for key, topic in local.topics : key => topic if !strcontains(topic, "/") }
  topic_ids = { for key, topic in local.topics : key =>
    strcontains(topic, "/") ? topic : google_pubsub_topic.alerts[key].id
  }

  channel_ids = [for channel in google_monitoring_notification_channel.default : channel.id]
}

resource "google_monitoring_notification_channel" "default" {
  for_each = local.channels

  project      = var.project_id
  display_name = each.value.target
  type         = each.value.type
  labels       = each.value.type == "email" ? { email_address = each.value.target } : { topic = local.topic_ids[each.key] }
  force_delete = true # a channel goes with its policies, whatever order they go in
}

resource "google_pubsub_topic" "alerts" {
  #checkov:skip=CKV_GCP_83:alerts name a service and a number; keys of one's own are for models, data and secrets
  for_each = local.own_topics

  project = var.project_id
  name    = each.value
  labels  = var.labels
}

# Cloud Monitoring's own account exists once the first Pub/Sub channel does.
resource "google_pubsub_topic_iam_member" "alerts" {
  for_each = local.topics

  project = var.project_id
  topic   = local.topic_ids[each.key]
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:service-${var.project_number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"

  depends_on = [google_monitoring_notification_channel.default]
}
