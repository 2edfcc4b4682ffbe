locals {
  timeout_seconds = 60 # a batch of the largest size takes a few
}

resource "google_cloud_run_v2_service" "default" {
  for_each = var.regions

  project  = var.project_id
  name     = var.name
  location = each.value
  labels   = var.labels

  # Behind the load balancer there is no way round it, or Cloud Armor could be passed by.
  ingress              = var.behind_load_balancer ? "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER" : "INGRESS_TRAFFIC_ALL"
  default_uri_disabled = var.behind_load_balancer

  # Callers prove themselves by the API key, which the service checks. Said here rather than by the role run.invoker
  # for allUsers: no public member stands in IAM, so that organisations that forbid one can have the service.
  invoker_iam_disabled = true

  # It holds no data: image, model and keys are elsewhere, and `terraform destroy` may take it.
  deletion_protection = false

  scaling {
    min_instance_count = var.min_instances
    max_instance_count = var.max_instances
  }

  template {
    service_account       = var.service_account_email
    execution_environment = "EXECUTION_ENVIRONMENT_GEN2" # real cgroup limits and full system calls; needs 512 MiB
    timeout               = "${local.timeout_seconds}s"

    # One process on one core answers a row in well under a millisecond, on four threads. Fewer than this, and slow
    # uploads would start instances that have nothing to compute; more, and a burst of large batches would wait for one
    # core and fill its memory instead of starting a second instance.
    max_instance_request_concurrency = 40

    containers {
      name  = var.name
      image = var.image

      ports {
        container_port = var.container_port
      }

      resources {
        # One core, because the service is one process; instances are what scales. It takes 128 MB resident: 1 GiB
        # leaves room for the next model beside the present one, the files of both, and the bodies of large batches.
        limits = { cpu = "1", memory = "1Gi" }

        # Importing and loading take the time of a cold start.
        startup_cpu_boost = true

        # CPU between requests is for the collector alone, which scrapes then. Without it nothing is paid for while
        # nobody calls; with it an instance costs its whole life, about 100 USD for a month (docs/infrastructure.md).
        cpu_idle = !var.metrics_collector
      }

      dynamic "env" {
        for_each = var.environment
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = var.secret_environment
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value
              version = "latest"
            }
          }
        }
      }

      # Cloud Run asks Secret Manager when the file is read, and the service reads it again: a rotated key
      # needs no new revision.
      volume_mounts {
        name       = "keys"
        mount_path = dirname(var.environment["API_KEY_FILE"])
      }

      # No request before a model has answered its golden examples. A revision without a model never gets traffic.
      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 60
        http_get {
          path = "/health/ready"
          port = var.container_port
        }
      }

      # Whether the process answers at all. Not /health/ready: a restart brings no model that was not there.
      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 3
        http_get {
          path = "/health/live"
          port = var.container_port
        }
      }

      # What the load balancer learns of a region's health. With a single region it would have nowhere to turn, and
      # would answer "no healthy upstream" itself.
      dynamic "readiness_probe" {
        for_each = length(var.regions) > 1 ? ["service-health"] : []
        content {
          period_seconds    = 5
          timeout_seconds   = 2
          success_threshold = 1
          failure_threshold = 3
          http_get {
            path = "/health/ready"
            port = var.container_port
          }
        }
      }
    }

    dynamic "containers" {
      for_each = var.metrics_collector ? ["collector"] : []
      content {
        name       = containers.value
        image      = local.collector_image
        depends_on = [var.name]

        resources {
          limits   = { cpu = "1", memory = "512Mi" }
          cpu_idle = false
        }

        volume_mounts {
          name       = "collector"
          mount_path = "/etc/rungmp"
        }

        liveness_probe {
          period_seconds  = 30
          timeout_seconds = 30
          http_get {
            path = "/liveness"
            port = 13133
          }
        }
      }
    }

    volumes {
      name = "keys"
      secret {
        secret = var.api_key_secret
        items {
          version = "latest"
          path    = basename(var.environment["API_KEY_FILE"])
        }
      }
    }

    dynamic "volumes" {
      for_each = var.metrics_collector ? ["collector"] : []
      content {
        name = volumes.value
        secret {
          secret = google_secret_manager_secret.collector.secret_id
          items {
            version = google_secret_manager_secret_version.collector.version
            path    = "config.yaml"
          }
        }
      }
    }

    dynamic "vpc_access" {
      for_each = var.vpc == null ? [] : [var.vpc]
      content {
        egress = "PRIVATE_RANGES_ONLY" # Redis; the rest goes the direct way
        network_interfaces {
          network    = vpc_access.value.network_id
          subnetwork = vpc_access.value.subnetwork_ids[each.key]
        }
      }
    }
  }

  lifecycle {
    # Terraform gives the service its shape; Cloud Build says which image runs, and sends it traffic only after its
    # smoke test. Terraform must neither bring an old image back nor send traffic to an untried revision. So a change
    # of the shape makes a revision that waits, too: `_ACTION=deploy` tries it and shifts the traffic.
    #
    # The revision's name is not left alone. Builds give none; one that a deployment by hand left in the template would
    # be sent again with the next change, and refused: "Revision named ... with different configuration already exists".
    ignore_changes = [
      client,
      client_version,
      template[0].annotations,
      template[0].containers[0].image,
      template[0].labels,
      traffic,
    ]

    precondition {
      condition     = length(var.regions) == 1 || var.behind_load_balancer && var.min_instances > 0
      error_message = "A second region needs the load balancer, and min_instances of 1 or more: a region without a running instance reports no health."
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.collector]
}
