# Burn rates of the SRE Workbook, chapter 5: 14.4 spends 2 % of a month's error budget in an hour, 6
# spends 5 % in six. The short window ends an alert soon after its cause.

locals {
  burn_rates = {
    fast = { rate = 14.4, windows = ["60m", "5m"], severity = "CRITICAL" }
    slow = { rate = 6, windows = ["360m", "30m"], severity = "ERROR" }
  }
  burns = merge([for objective in keys(local.objectives) : {
    for speed, burn in local.burn_rates : "${objective}-${speed}" => merge(burn, { objective = objective, speed = speed })
  }]...)
}

resource "google_monitoring_alert_policy" "burn_rate" {
  for_each = local.burns

  project               = var.project_id
  display_name          = "ObjectiveBurns: ${each.value.objective}, ${each.value.speed}"
  combiner              = "AND"
  severity              = each.value.severity
  notification_channels = local.channel_ids
  user_labels           = var.labels

  dynamic "conditions" {
    for_each = each.value.windows
    content {
      display_name = "Error budget burns ${each.value.rate} times too fast over ${conditions.value}"

      condition_threshold {
        filter          = "select_slo_burn_rate(\"${google_monitoring_slo.default[each.value.objective].name}\", \"${conditions.value}\")"
        comparison      = "COMPARISON_GT"
        threshold_value = each.value.rate
        duration        = "0s"

        trigger {
          count = 1
        }
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The objective \"${local.objectives[each.value.objective].goal * 100} % ${local.objectives[each.value.objective].summary}\" is missed ${each.value.rate} times as fast as a month can bear. ${local.runbook["ObjectiveBurns"]}"
  }
}
