# Who hears of what: each alert has a channel and says what to do, and each scenario is measured where
# its requests pass.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id            = "iris-test"
  project_number        = "123456789012"
  service_name          = "iris-api"
  notification_channels = ["email:admin@example.com", "pubsub:alerts", "pubsub:projects/other/topics/pages"]
  documentation_url     = "https://example.com/blob/main/"
  endpoint              = { host = "iris-api-123456789012.europe-west1.run.app", port = 443, tls = true }
  measured_at           = "cloud_run"
  prometheus_enabled    = true
}

run "tells_every_alert_to_every_channel_with_a_runbook" {
  module {
    source = "./modules/monitoring"
  }

  assert {
    condition = alltrue([
      for policy in concat(values(google_monitoring_alert_policy.rules), values(google_monitoring_alert_policy.events), values(google_monitoring_alert_policy.burn_rate), google_monitoring_alert_policy.unreachable) :
      length(policy.notification_channels) == 3 && policy.enabled != false
    ])
    error_message = "an alert that reaches nobody is none"
  }

  assert {
    condition = alltrue([
      for policy in concat(values(google_monitoring_alert_policy.rules), values(google_monitoring_alert_policy.events), values(google_monitoring_alert_policy.burn_rate), google_monitoring_alert_policy.unreachable) :
      can(regex("https://example.com/blob/main/docs/(runbook|operations)[.]md#[a-z]+", policy.documentation[0].content))
    ])
    error_message = "each alert names the section of the runbook that says what to do"
  }

  assert {
    condition     = length(google_monitoring_alert_policy.rules) == length(jsondecode(file("../monitoring/policies.json")))
    error_message = "each rule of monitoring/ is an alert policy"
  }

  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.rules :
      policy.conditions[0].condition_prometheus_query_language[0].disable_metric_validation
      && can(regex("^[0-9]+s$", policy.conditions[0].condition_prometheus_query_language[0].duration))
      && contains(["CRITICAL", "WARNING"], policy.severity)
    ])
    error_message = "the policies can be made before the first request, with durations in seconds"
  }
}

run "makes_channels_of_each_form" {
  module {
    source = "./modules/monitoring"
  }

  assert {
    condition = (
      google_monitoring_notification_channel.default["email:admin@example.com"].labels == tomap({ email_address = "admin@example.com" })
      && google_monitoring_notification_channel.default["pubsub:projects/other/topics/pages"].labels == tomap({ topic = "projects/other/topics/pages" })
    )
    error_message = "a channel is of the type that is written in front of it"
  }

  assert {
    condition     = keys(google_pubsub_topic.alerts) == ["pubsub:alerts"]
    error_message = "a topic with a short name is made; one with a full name is somebody's"
  }

  assert {
    condition = alltrue([
      for key in ["pubsub:alerts", "pubsub:projects/other/topics/pages"] :
      google_pubsub_topic_iam_member.alerts[key].role == "roles/pubsub.publisher"
      && google_pubsub_topic_iam_member.alerts[key].member == "serviceAccount:service-123456789012@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
    ])
    error_message = "Cloud Monitoring, and nobody else, publishes on the topics"
  }
}

run "checks_that_predictions_work" {
  module {
    source = "./modules/monitoring"
  }

  assert {
    condition = (
      google_monitoring_uptime_check_config.ready[0].http_check[0].path == "/health/ready"
      && google_monitoring_uptime_check_config.ready[0].http_check[0].use_ssl
      && google_monitoring_uptime_check_config.ready[0].http_check[0].validate_ssl
      && google_monitoring_uptime_check_config.ready[0].monitored_resource[0].labels.host == "iris-api-123456789012.europe-west1.run.app"
    )
    error_message = "the route that has no limit and answers 503 without a model, over TLS"
  }

  assert {
    condition = (
      one(google_monitoring_slo.default["availability"].request_based_sli[0].good_total_ratio[*].bad_service_filter)
      == "metric.type=\"run.googleapis.com/request_count\" AND resource.type=\"cloud_run_revision\" AND resource.label.service_name=\"iris-api\" AND metric.label.response_code_class=\"5xx\""
    )
    error_message = "on its own address, the service is measured by Cloud Run"
  }

  assert {
    condition     = google_monitoring_slo.default["latency"].request_based_sli[0].distribution_cut[0].range[0].max == 100
    error_message = "0.1 s are 100 of the metric's milliseconds"
  }

  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.burn_rate :
      policy.combiner == "AND" && length(policy.conditions) == 2
    ]) && keys(google_monitoring_alert_policy.burn_rate) == ["availability-fast", "availability-slow", "latency-fast", "latency-slow"]
    error_message = "each objective has a fast and a slow alert, each of two windows that both have to burn"
  }
}

run "measures_both_backends_at_the_load_balancer" {
  module {
    source = "./modules/monitoring"
  }

  variables {
    endpoint      = { host = "api.example.com", port = 443, tls = true }
    measured_at   = "load_balancer"
    backend_names = ["iris-api-run", "iris-api-vm"]
  }

  assert {
    condition     = strcontains(google_monitoring_slo.default["availability"].request_based_sli[0].good_total_ratio[0].total_service_filter, "one_of(\"iris-api-run\", \"iris-api-vm\")")
    error_message = "after a failover the objective goes on with the VM's answers"
  }
}

run "measures_a_public_vm_by_its_uptime_check" {
  module {
    source = "./modules/monitoring"
  }

  variables {
    endpoint           = { host = "api.example.com", port = 443, tls = true }
    measured_at        = "uptime_check"
    prometheus_enabled = false
  }

  assert {
    condition     = keys(google_monitoring_slo.default) == ["availability"] && length(google_monitoring_slo.default["availability"].windows_based_sli) == 1
    error_message = "no platform counts the VM's requests, so the check's windows do"
  }

  assert {
    condition     = length(google_monitoring_alert_policy.rules) == 0
    error_message = "alerts on metrics that nothing collects would never fire"
  }
}

run "watches_from_inside_what_nobody_reaches_from_outside" {
  module {
    source = "./modules/monitoring"
  }

  variables {
    endpoint           = null
    measured_at        = "uptime_check"
    prometheus_enabled = false
  }

  assert {
    condition     = length(google_monitoring_uptime_check_config.ready) == 0 && length(google_monitoring_slo.default) == 0
    error_message = "a check that can't reach the service would only cry wolf"
  }
}

run "draws_what_the_alerts_watch" {
  module {
    source = "./modules/monitoring"
  }

  assert {
    condition = length(local.drift_tiles) == 2 && alltrue([
      for tile in local.drift_tiles : anytrue([
        for policy in local.policies : startswith(policy.expr, tile.queries[0]) && endswith(policy.name, "Drift")
      ])
    ])
    error_message = "the drift that is drawn is the drift that alerts"
  }

  assert {
    condition = alltrue([
      for tile in jsondecode(google_monitoring_dashboard.default.dashboard_json).mosaicLayout.tiles :
      length(tile.widget.xyChart.dataSets) > 0 && alltrue([
        for series in tile.widget.xyChart.dataSets : !strcontains(series.timeSeriesQuery.prometheusQuery, "$")
      ])
    ])
    error_message = "no tile is empty, and none waits for a choice that only Grafana offers"
  }

  assert {
    condition     = length(local.panel_tiles) > 10 && length(local.platform_tiles) == 3
    error_message = "the panels of monitoring/grafana and the platform's metrics are drawn"
  }

  assert {
    condition = alltrue([
      for tile in jsondecode(google_monitoring_dashboard.default.dashboard_json).mosaicLayout.tiles :
      tile.xPos + tile.width <= 48
    ])
    error_message = "the tiles lie inside the dashboard"
  }
}
