locals {
  port = 5000
  host = "${var.name}-${var.project_number}.${var.region}.run.app"

  # No password: the proxy beside the server signs in as its service account.
  database_user = urlencode(google_sql_user.server.name)
  database_uri  = "postgresql+psycopg2://${local.database_user}@127.0.0.1:5432/${google_sql_database.default.name}"
}

resource "google_cloud_run_v2_service" "default" {
  project             = var.project_id
  location            = var.region
  name                = var.name
  description         = "MLflow's tracking server"
  ingress             = "INGRESS_TRAFFIC_ALL" # browsers and builds come from anywhere; IAP asks who they are
  iap_enabled         = true
  deletion_protection = var.deletion_protection
  labels              = var.labels

  template {
    service_account                  = google_service_account.server.email
    timeout                          = "600s" # uploads of artifacts pass through the server
    max_instance_request_concurrency = 40

    scaling {
      min_instance_count = 0
      max_instance_count = 2
    }

    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"

      network_interfaces {
        subnetwork = var.subnetwork_id
      }
    }

    containers {
      name    = "mlflow"
      image   = var.image
      command = ["mlflow"]
      args = [
        "server",
        "--host=0.0.0.0",
        "--port=${local.port}",
        "--workers=1",
        "--backend-store-uri=${local.database_uri}",
        "--artifacts-destination=${var.artifacts_uri}",
      ]
      depends_on = ["database-proxy"]

      ports {
        container_port = local.port
      }

      # MLflow answers no other host, and takes changes from no other page
      env {
        name  = "MLFLOW_SERVER_ALLOWED_HOSTS"
        value = local.host
      }
      env {
        name  = "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"
        value = "https://${local.host}"
      }
      env {
        name  = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"
        value = "false" # background jobs have no processor time between requests
      }
      env {
        name  = "MLFLOW_DISABLE_TELEMETRY"
        value = "true"
      }

      resources {
        cpu_idle          = true # paid for by the request
        startup_cpu_boost = true
        limits            = { cpu = "1", memory = "2Gi" }
      }

      startup_probe {
        period_seconds    = 5
        failure_threshold = 36 # the first start makes the tables

        http_get {
          path = "/health"
          port = local.port
        }
      }
    }

    containers {
      name  = "database-proxy"
      image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy:2.23.0@sha256:54e23cad9aeeedbf88ab75f993146631b878035f702b31c51885a932e0c7286c"
      args = [
        "--auto-iam-authn",
        "--private-ip",
        "--port=5432",
        "--health-check",
        "--http-address=0.0.0.0",
        "--http-port=9090",
        google_sql_database_instance.default.connection_name,
      ]

      resources {
        cpu_idle = true
        limits   = { cpu = "1", memory = "256Mi" }
      }

      startup_probe {
        period_seconds    = 2
        failure_threshold = 30

        http_get {
          path = "/startup"
          port = 9090
        }
      }
    }
  }

  depends_on = [google_project_iam_member.database, google_storage_bucket_iam_member.artifacts]
}
