# The alerts of monitoring/rules, one source for Prometheus and for here: drift, no model, errors,
# latency, keys, limits, traffic. Their metrics are the service's own, which the collector beside it
# sends to Managed Prometheus.

locals {
  policies   = jsondecode(file("${path.module}/../../../monitoring/policies.json"))
  severities = { critical = "CRITICAL", warning = "WARNING" }
  seconds    = { s = 1, m = 60, h = 3600, d = 86400 }
}

resource "google_monitoring_alert_policy" "rules" {
  for_each = { for policy in local.policies : policy.name => policy if var.prometheus_enabled }

  project               = var.project_id
  display_name          = each.key
  combiner              = "OR"
  severity              = local.severities[each.value.severity]
  notification_channels = local.channel_ids
  user_labels           = var.labels

  conditions {
    display_name = each.value.summary

    condition_prometheus_query_language {
      query               = each.value.expr
      duration            = "${tonumber(regex("^[0-9]+", each.value.for)) * local.seconds[regex("[smhd]$", each.value.for)]}s"
      evaluation_interval = "60s"
      alert_rule          = each.key

      disable_metric_validation = true # the metrics come with the first request, after this
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.summary}. Runbook: ${var.documentation_url}${each.value.runbook}"
  }
}
