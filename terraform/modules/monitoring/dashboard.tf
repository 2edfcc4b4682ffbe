# What the alerts watch, as it is now: the platform's own metrics, what the logs count, and, where
# Managed Prometheus has the service's metrics, the panels of monitoring/grafana and the drift alerts'
# expressions. Nothing is queried in two ways.

locals {
  platform = {
    load_balancer = {
      selector = "monitored_resource=\"https_lb_rule\",backend_target_name=~\"${join("|", var.backend_names)}\""
      requests = "loadbalancing_googleapis_com:https_request_count"
      latency  = "loadbalancing_googleapis_com:https_backend_latencies_bucket"
      labels   = "response_code_class, backend_target_name"
    }
    cloud_run = {
      selector = local.on_cloud_run
      requests = "run_googleapis_com:request_count"
      latency  = "run_googleapis_com:request_latencies_bucket"
      labels   = "response_code_class"
    }
  }
  on_cloud_run = "monitored_resource=\"cloud_run_revision\",service_name=\"${var.service_name}\""

  platform_tiles = flatten([for place, metric in local.platform : place != var.measured_at ? [] : [
    {
      title   = "Requests a second"
      queries = ["sum by (${metric.labels}) (rate(${metric.requests}{${metric.selector}}[5m]))"]
    },
    {
      title = "Latency in ms: median, 95 %, 99 %"
      queries = [for quantile in ["0.5", "0.95", "0.99"] :
        "histogram_quantile(${quantile}, sum by (le) (rate(${metric.latency}{${metric.selector}}[5m])))"
      ]
    },
    {
      title   = "Instances"
      queries = ["sum by (state, location) (run_googleapis_com:container_instance_count{${local.on_cloud_run}})"]
    },
  ]])

  logged = "logging_googleapis_com:user_${replace(var.service_name, "-", "_")}"
  log_tiles = [for counted in [
    { title = "Failovers in 10 min", metric = "failovers", label = "to_backend" },
    { title = "Refused keys in 10 min", metric = "refused_keys", label = "error_type" },
    ] : {
    title = counted.title
    queries = [for resource in ["cloud_run_revision", "gce_instance"] : # a selector takes one resource only
      "sum by (${counted.label}) (increase(${local.logged}_${counted.metric}{monitored_resource=\"${resource}\"}[10m]))"
    ]
  }]

  # Grafana's choices of a job and a version are left out: all are drawn. Panels of recorded series,
  # whose names have colons, are left out too, because nothing records them here.
  panels = flatten([for name in ["service", "model"] :
    jsondecode(file("${path.module}/../../../monitoring/grafana/dashboards/${name}.json")).panels
  ])
  panel_tiles = [for panel in local.panels : {
    title = panel.title
    queries = [for target in panel.targets :
      replace(replace(target.expr, "/,?(job|version)=~\"\\$(job|version)\"/", ""), "$__rate_interval", "5m")
    ]
  } if panel.type == "timeseries" && !anytrue([for target in try(panel.targets, []) : strcontains(target.expr, ":")])]

  # the index alone, without the limit that the alert compares it with
  drift_tiles = [for policy in local.policies : {
    title   = policy.summary
    queries = [regex("^(.*)> *[0-9.]+ and on ", policy.expr)[0]]
  } if endswith(policy.name, "Drift")]

  tiles = concat(
    local.platform_tiles,
    local.log_tiles,
    var.prometheus_enabled ? concat(local.drift_tiles, local.panel_tiles) : [],
  )
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
