# What the alerts watch, as it is now. Platform's metrics where they are measured; the service's own
# where Managed Prometheus has them; drift by the expressions that the alerts compare with a limit.

locals {
  policy_expressions = { for policy in local.policies : policy.name => policy.expr }

  selectors = {
    load_balancer = "monitored_resource=\"https_lb_rule\",backend_target_name=~\"${join("|", var.backend_names)}\""
    cloud_run     = "monitored_resource=\"cloud_run_revision\",service_name=\"${var.service_name}\""
  }
  platform_metrics = {
    load_balancer = { requests = "loadbalancing_googleapis_com:https_request_count", latency = "loadbalancing_googleapis_com:https_backend_latencies_bucket", by = "response_code_class, backend_target_name" }
    cloud_run     = { requests = "run_googleapis_com:request_count", latency = "run_googleapis_com:request_latencies_bucket", by = "response_code_class" }
  }
  selector        = lookup(local.selectors, var.measured_at, null)
  platform_metric = lookup(local.platform_metrics, var.measured_at, null)
  logged          = "logging_googleapis_com:user_${replace(var.service_name, "-", "_")}"

  tiles = concat(
    local.selector == null ? [] : [
      { title = "Requests a second", queries = ["sum by (${local.platform_metric.by}) (rate(${local.platform_metric.requests}{${local.selector}}[5m]))"] },
      { title = "Latency in ms: median, 95 %, 99 %", queries = [for quantile in ["0.5", "0.95", "0.99"] :
        "histogram_quantile(${quantile}, sum by (le) (rate(${local.platform_metric.latency}{${local.selector}}[5m])))"
      ] },
    ],
    var.measured_at == "uptime_check" ? [] : [
      { title = "Instances", queries = ["sum by (state, location) (run_googleapis_com:container_instance_count{${local.selectors.cloud_run}})"] },
    ],
    var.prometheus_enabled ? [
      { title = "Predictions a second, by class", queries = ["sum by (predicted_class) (rate(model_predictions_total[5m]))"] },
      { title = "Errors a second, by kind", queries = ["sum by (error_type) (rate(api_errors_total[5m]))"] },
      { title = "Instances by model version", queries = ["sum by (version) (model_info)"] },
      { title = "Drift of the features (0.2: alert)", queries = [local.drift["FeatureDrift"]] },
      { title = "Drift of the predictions (0.2: alert)", queries = [local.drift["PredictionDrift"]] },
    ] : [],
    [
      { title = "Refused keys in 10 min", queries = ["sum by (error_type) (increase(${local.logged}_refused_keys{monitored_resource=\"${var.measured_at == "uptime_check" ? "gce_instance" : "cloud_run_revision"}\"}[10m]))"] },
    ],
  )

  # the index, without the limit that the alert compares it with
  drift = { for name in ["FeatureDrift", "PredictionDrift"] : name => regex("^(.*)> *[0-9.]+ and on ", local.policy_expressions[name])[0] }
}

resource "google_monitoring_dashboard" "default" {
  project = var.project_id

  dashboard_json = jsonencode({
    displayName = var.service_name
    mosaicLayout = {
      columns = 48
      tiles = [for index, tile in local.tiles : {
        xPos   = index % 2 * 24
        yPos   = floor(index / 2) * 16
        width  = 24
        height = 16
        widget = {
          title = tile.title
          xyChart = {
            dataSets = [for query in tile.queries : { timeSeriesQuery = { prometheusQuery = query } }]
          }
        }
      }]
    }
  })
}
