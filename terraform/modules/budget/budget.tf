# A budget stops nothing: it tells. Its alerts go to the channels, and to the billing account's
# administrators.
resource "google_billing_budget" "default" {
  billing_account = var.billing_account
  display_name    = "${var.project_id} a month"

  amount {
    specified_amount {
      units = tostring(var.amount)
    }
  }

  budget_filter {
    projects        = ["projects/${var.project_number}"]
    calendar_period = "MONTH"
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1]
    content {
      threshold_percent = threshold_rules.value
      spend_basis       = "CURRENT_SPEND"
    }
  }

  threshold_rules { # the month's end as it looks now: a mistake shows while it is small
    threshold_percent = 1
    spend_basis       = "FORECASTED_SPEND"
  }

  dynamic "all_updates_rule" {
    for_each = length(var.email_channel_ids) > 0 ? [1] : []
    content {
      monitoring_notification_channels = var.email_channel_ids
    }
  }
}
