# What tells of money, and what keeps the record of predictions.

mock_provider "google" {
  source = "./tests/mocks"
}

run "tells_before_the_budget_is_spent" {
  module {
    source = "./modules/budget"
  }

  variables {
    project_id        = "iris-test"
    project_number    = "123456789012"
    billing_account   = "012345-6789AB-CDEF01"
    amount            = 50
    email_channel_ids = ["projects/iris-test/notificationChannels/1"]
  }

  assert {
    condition = (
      google_billing_budget.default.budget_filter[0].projects == toset(["projects/123456789012"])
      && google_billing_budget.default.amount[0].specified_amount[0].units == "50"
    )
    error_message = "the budget is the project's, not the billing account's"
  }

  assert {
    condition = (
      [for rule in google_billing_budget.default.threshold_rules : rule.threshold_percent if rule.spend_basis == "CURRENT_SPEND"] == [0.5, 0.9, 1]
      && [for rule in google_billing_budget.default.threshold_rules : rule.threshold_percent if rule.spend_basis == "FORECASTED_SPEND"] == [1]
    )
    error_message = "it tells at 50, 90 and 100 %, and when the forecast passes 100 %"
  }

  assert {
    condition     = google_billing_budget.default.all_updates_rule[0].monitoring_notification_channels == tolist(["projects/iris-test/notificationChannels/1"])
    error_message = "it tells the channels"
  }
}

run "keeps_predictions_for_the_sink_alone_to_write" {
  module {
    source = "./modules/prediction-sink"
  }

  variables {
    project_id     = "iris-test"
    region         = "europe-west1"
    retention_days = 30
  }

  assert {
    condition     = strcontains(google_logging_project_sink.default.filter, "jsonPayload.model_version:*") && google_logging_project_sink.default.bigquery_options[0].use_partitioned_tables
    error_message = "lines of predictions only, a table a day at most"
  }

  assert {
    condition = (
      google_bigquery_dataset_iam_member.sink.member == google_logging_project_sink.default.writer_identity
      && google_bigquery_dataset_iam_member.sink.role == "roles/bigquery.dataEditor"
      && google_bigquery_dataset.default.default_partition_expiration_ms == 30 * 86400000
    )
    error_message = "the sink's own identity writes, and the days pass away"
  }
}
