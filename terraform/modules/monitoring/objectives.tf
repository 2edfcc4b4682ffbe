# The objectives of monitoring/rules/service.yml, measured from outside: by the load balancer, else by
# Cloud Run, so that requests which never reach the container count too. A public VM has neither; there
# the uptime check's minutes count.

locals {
  metrics = {
    load_balancer = {
      resource = "resource.type=\"https_lb_rule\" AND resource.label.backend_target_name=one_of(${join(", ", formatlist("\"%s\"", var.backend_names))})"
      requests = "metric.type=\"loadbalancing.googleapis.com/https/request_count\""
      failed   = "metric.label.response_code_class=500"
      answered = "metric.label.response_code_class=200"
      latency  = "metric.type=\"loadbalancing.googleapis.com/https/backend_latencies\""
    }
    cloud_run = {
      resource = "resource.type=\"cloud_run_revision\" AND resource.label.service_name=\"${var.service_name}\""
      requests = "metric.type=\"run.googleapis.com/request_count\""
      failed   = "metric.label.response_code_class=\"5xx\""
      answered = "metric.label.response_code_class=\"2xx\""
      latency  = "metric.type=\"run.googleapis.com/request_latencies\""
    }
  }
  metric  = lookup(local.metrics, var.measured_at, null)
  checked = var.endpoint != null

  objectives = merge(
    local.metric == null ? {} : {
      availability = { goal = var.availability_objective, summary = "answered without an error of the service" }
      latency      = { goal = var.latency_objective, summary = "answered within ${var.latency_seconds} s" }
    },
    local.metric == null && local.checked ? {
      availability = { goal = var.availability_objective, summary = "minutes in which the uptime check passes" }
    } : {},
  )
}

resource "google_monitoring_custom_service" "default" {
  count = length(local.objectives) > 0 ? 1 : 0

  project      = var.project_id
  service_id   = var.service_name
  display_name = var.service_name
  user_labels  = var.labels
}

resource "google_monitoring_slo" "default" {
  for_each = local.objectives

  project             = var.project_id
  service             = google_monitoring_custom_service.default[0].service_id
  slo_id              = each.key
  display_name        = "${each.value.goal * 100} % ${each.value.summary}"
  goal                = each.value.goal
  rolling_period_days = 30
  user_labels         = var.labels

  dynamic "request_based_sli" {
    for_each = local.metric == null ? [] : [local.metric]
    content {
      dynamic "good_total_ratio" {
        for_each = each.key == "availability" ? [1] : []
        content {
          total_service_filter = "${request_based_sli.value.requests} AND ${request_based_sli.value.resource}"
          bad_service_filter   = "${request_based_sli.value.requests} AND ${request_based_sli.value.resource} AND ${request_based_sli.value.failed}"
        }
      }

      dynamic "distribution_cut" {
        for_each = each.key == "latency" ? [1] : []
        content {
          distribution_filter = "${request_based_sli.value.latency} AND ${request_based_sli.value.resource} AND ${request_based_sli.value.answered}"

          range {
            max = var.latency_seconds * 1000 # both metrics are in milliseconds
          }
        }
      }
    }
  }

  dynamic "windows_based_sli" {
    for_each = local.metric == null ? [1] : []
    content {
      window_period = "300s"
      good_bad_metric_filter = join(" AND ", [
        "metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\"",
        "resource.type=\"uptime_url\"",
        "metric.label.check_id=\"${google_monitoring_uptime_check_config.ready[0].uptime_check_id}\"",
      ])
    }
  }
}
