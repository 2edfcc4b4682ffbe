# What only the logs know.

locals {
  access_log = "resource.type=(\"cloud_run_revision\" OR \"gce_instance\" OR \"k8s_container\") jsonPayload.message=\"request\""
  failover   = "severity=ALERT jsonPayload.message=\"traffic turned\""
}

resource "google_logging_metric" "failovers" {
  project     = var.project_id
  name        = "${var.service_name}/failovers"
  description = "Times that the load balancer was turned to the other backend"
  filter      = local.failover

  label_extractors = {
    to_backend = "EXTRACT(jsonPayload.to_backend)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "to_backend"
      description = "cloud_run or vm"
    }
  }
}

resource "google_logging_metric" "refused_keys" {
  project     = var.project_id
  name        = "${var.service_name}/refused_keys"
  description = "Requests without a key, or with a wrong one"
  filter      = "${local.access_log} jsonPayload.error_type=(\"missing-key\" OR \"wrong-key\")"

  label_extractors = {
    error_type = "EXTRACT(jsonPayload.error_type)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "error_type"
      description = "missing-key or wrong-key"
    }
  }
}

# Alerts on the line itself: an event is told at once, with its text, and needs no metric to exist.
locals {
  events = {
    TrafficTurned = {
      filter   = local.failover
      labels   = { to_backend = "EXTRACT(jsonPayload.to_backend)", reason = "EXTRACT(jsonPayload.reason)" }
      severity = "CRITICAL"
      summary  = "The load balancer was turned to the other backend"
    }
    BuildFailed = {
      filter   = "resource.type=\"build\" logName=\"projects/${var.project_id}/logs/cloudbuild\" textPayload=~\"^ERROR: \""
      labels   = { build = "EXTRACT(resource.labels.build_id)" }
      severity = "WARNING"
      summary  = "A build, or a retraining, failed; what served before still serves"
    }
  }
}

resource "google_monitoring_alert_policy" "events" {
  for_each = local.events

  project               = var.project_id
  display_name          = each.key
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channel_ids
  user_labels           = var.labels

  conditions {
    display_name = each.value.summary

    condition_matched_log {
      filter           = each.value.filter
      label_extractors = each.value.labels
    }
  }

  alert_strategy {
    auto_close = "3600s"

    notification_rate_limit {
      period = "300s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.summary}. ${local.runbook[each.key]}"
  }
}
