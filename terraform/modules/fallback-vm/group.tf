# Behind the load balancer: a group that grows with its load and is rolled without losing capacity. In public: a single
# VM, which keeps its address and, restarted rather than replaced, Caddy's certificates (Let's Encrypt gives five a week).

locals {
  zones = 3 # that a regional group spreads over; a fixed surge has to be none or that many
}

resource "google_compute_health_check" "healing" {
  project             = var.project_id
  name                = "${var.name}-healing"
  check_interval_sec  = 15
  timeout_sec         = 5
  healthy_threshold   = 1
  unhealthy_threshold = 6 # a VM is made anew for a minute and a half of silence, not for a hiccup

  http_health_check {
    port         = var.container_port
    request_path = "/health/ready"
  }

  log_config {
    enable = true
  }
}

resource "google_compute_region_instance_group_manager" "default" {
  project            = var.project_id
  name               = var.name
  region             = var.region
  base_instance_name = var.name
  target_size        = var.public == null ? null : 1

  distribution_policy_zones = var.public == null ? null : [var.zone]

  version {
    name              = "default"
    instance_template = google_compute_instance_template.default.self_link_unique
  }

  named_port {
    name = "http"
    port = var.container_port
  }

  auto_healing_policies {
    health_check      = google_compute_health_check.healing.id
    initial_delay_sec = 300 # boot, pull, load
  }

  instance_lifecycle_policy {
    force_update_on_repair = "YES"
  }

  # Cloud Build rolls with the same values (docs/failover.md), so that there is nothing for Terraform to put back.
  update_policy {
    type                           = "PROACTIVE"
    minimal_action                 = var.public == null ? "REPLACE" : "RESTART"
    most_disruptive_allowed_action = "REPLACE"
    replacement_method             = var.public == null ? "SUBSTITUTE" : "RECREATE"
    max_surge_fixed                = var.public == null ? local.zones : 0
    max_unavailable_fixed          = var.public == null ? 0 : local.zones
  }

  lifecycle {
    ignore_changes = [version[0].name] # rolling-action stamps it with the time of the roll
  }
}

resource "google_compute_region_autoscaler" "default" {
  count = var.public == null ? 1 : 0

  project = var.project_id
  name    = var.name
  region  = var.region
  target  = google_compute_region_instance_group_manager.default.id

  autoscaling_policy {
    min_replicas    = 1 # stands ready: a failover can't wait for a boot
    max_replicas    = var.max_instances
    cooldown_period = 90

    cpu_utilization {
      target = 0.6
    }
  }
}
