# /health/ready says that the instance which answers holds a model whose golden examples came out
# right: that predictions work. /health/live says no more than that a process runs, /health is
# limited per client, and /predict would need the key in the check's configuration.
resource "google_monitoring_uptime_check_config" "ready" {
  count = local.checked ? 1 : 0

  project      = var.project_id
  display_name = "${var.service_name} is ready"
  period       = "60s"
  timeout      = "10s" # a cold start included
  checker_type = "STATIC_IP_CHECKERS"
  user_labels  = var.labels

  http_check {
    path           = "/health/ready"
    port           = var.endpoint.port
    use_ssl        = var.endpoint.tls
    validate_ssl   = var.endpoint.tls
    request_method = "GET"

    accepted_response_status_codes {
      status_value = 200
    }
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      host       = var.endpoint.host
      project_id = var.project_id
    }
  }

  lifecycle {
    create_before_destroy = true # another host is another check, and one that an alert or an objective names can't be deleted
  }
}

resource "google_monitoring_alert_policy" "unreachable" {
  count = local.checked ? 1 : 0

  project               = var.project_id
  display_name          = "Unreachable"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channel_ids
  user_labels           = var.labels

  conditions {
    display_name = "/health/ready fails from more than one place"

    condition_threshold {
      filter = join(" AND ", [
        "metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\"",
        "resource.type=\"uptime_url\"",
        "metric.label.check_id=\"${google_monitoring_uptime_check_config.ready[0].uptime_check_id}\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "120s"

      aggregations {
        alignment_period     = "1200s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.*"]
      }

      trigger {
        count = 1
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Clients can't reach a service that is ready to predict at ${var.endpoint.host}. ${local.runbook["Unreachable"]}"
  }
}
