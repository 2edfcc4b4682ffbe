# A backend service holds serverless endpoints or instances, never both: so Cloud Run and the VM have one each, and the
# URL maps choose between them. All of them stand behind the same Cloud Armor policy.

locals {
  security_policy = one(google_compute_security_policy.default[*].id)
  host            = local.tls ? var.domain : google_compute_global_address.default.address
}

resource "google_compute_region_network_endpoint_group" "cloud_run" {
  for_each = var.cloud_run.regions

  project               = var.project_id
  name                  = "${var.name}-cloud-run-${each.value}"
  region                = each.value
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = var.cloud_run.service
  }

  lifecycle {
    create_before_destroy = true # one that is in use can't be deleted
  }
}

resource "google_compute_backend_service" "cloud_run" {
  project               = var.project_id
  name                  = "${var.name}-cloud-run"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = local.security_policy

  # no health check, port name, timeout or balancing mode: none exists for serverless endpoints
  dynamic "backend" {
    for_each = google_compute_region_network_endpoint_group.cloud_run
    content {
      group = backend.value.id
    }
  }

  # With two regions, beside service health: a region that answers 5xx is left out for a while. With one there is no
  # other to turn to.
  dynamic "outlier_detection" {
    for_each = length(var.cloud_run.regions) > 1 ? ["regions"] : []
    content {
      consecutive_errors                    = 5
      enforcing_consecutive_errors          = 100
      consecutive_gateway_failure           = 5
      enforcing_consecutive_gateway_failure = 100 # the API's default is 0: count, and do nothing
      max_ejection_percent                  = 50

      interval {
        seconds = 10
      }

      base_ejection_time {
        seconds = 180
      }
    }
  }

  log_config {
    enable      = true
    sample_rate = 1
  }
}

# The revision that Cloud Build tries before it gets traffic: a tag of the primary region's service. In a backend
# service of its own, because an endpoint group with a tag knows no service health.
resource "google_compute_region_network_endpoint_group" "candidate" {
  project               = var.project_id
  name                  = "${var.name}-candidate"
  region                = var.cloud_run.regions["primary"]
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = var.cloud_run.service
    tag     = "candidate"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_backend_service" "candidate" {
  project               = var.project_id
  name                  = "${var.name}-candidate"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = local.security_policy

  backend {
    group = google_compute_region_network_endpoint_group.candidate.id
  }

  log_config {
    enable      = true
    sample_rate = 1
  }
}

resource "google_compute_health_check" "vm" {
  project             = var.project_id
  name                = "${var.name}-vm"
  check_interval_sec  = 5
  timeout_sec         = 3
  healthy_threshold   = 2
  unhealthy_threshold = 3

  http_health_check {
    port_specification = "USE_SERVING_PORT"
    request_path       = "/health/ready"
  }

  log_config {
    enable = true
  }
}

resource "google_compute_backend_service" "vm" {
  project                         = var.project_id
  name                            = "${var.name}-vm"
  load_balancing_scheme           = "EXTERNAL_MANAGED"
  protocol                        = "HTTP"
  port_name                       = var.vm.port_name
  timeout_sec                     = var.timeout_seconds
  connection_draining_timeout_sec = 30
  health_checks                   = [google_compute_health_check.vm.id]
  security_policy                 = local.security_policy

  backend {
    group           = var.vm.instance_group
    balancing_mode  = "UTILIZATION"
    max_utilization = 0.8
    capacity_scaler = 1
  }

  log_config {
    enable      = true
    sample_rate = 1
  }
}
