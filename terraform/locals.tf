locals {
  service_name   = "iris-api"
  container_port = 8000
  labels         = merge({ app = local.service_name, managed-by = "terraform" }, var.tags)
  regions        = merge({ primary = var.region }, var.secondary_region == "" ? {} : { secondary = var.secondary_region })
  zone           = coalesce(var.zone, "${var.region}-b")
  models_bucket  = coalesce(var.bucket_name, "${var.project_id}-ml-models")
  kms_keys       = var.enable_kms_encryption ? module.kms[0].key_ids : {}

  # What exists. Without an image there is the foundation, and nothing else.
  image_given             = var.docker_image != ""
  run_enabled             = local.image_given && !var.enable_public_ip
  edge_enabled            = local.image_given && var.enable_load_balancer
  vm_enabled              = local.image_given && (var.enable_load_balancer || var.enable_public_ip)
  functions_enabled       = local.image_given && var.functions_archive != ""
  failover_enabled        = local.edge_enabled && local.functions_enabled
  monitoring_enabled      = local.image_given && var.enable_monitoring_alerts
  redis_enabled           = local.image_given && var.enable_redis
  mlflow_enabled          = local.image_given && var.enable_mlflow_server
  gke_enabled             = local.image_given && var.enable_gke
  prediction_sink_enabled = local.image_given && var.enable_prediction_sink
  budget_enabled          = var.budget_amount > 0

  services = setunion(
    [
      "artifactregistry.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "cloudtrace.googleapis.com",
      "compute.googleapis.com",
      "containerscanning.googleapis.com",
      "iam.googleapis.com",
      "iap.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "ondemandscanning.googleapis.com",
      "run.googleapis.com",
      "secretmanager.googleapis.com",
      "storage.googleapis.com",
    ],
    var.enable_kms_encryption ? ["cloudkms.googleapis.com"] : [],
    var.functions_archive != "" || var.retraining_schedule != "" ? [
      "cloudfunctions.googleapis.com",
      "cloudscheduler.googleapis.com",
      "eventarc.googleapis.com",
      "pubsub.googleapis.com",
    ] : [],
    var.enable_redis ? ["redis.googleapis.com"] : [],
    var.enable_mlflow_server ? ["servicenetworking.googleapis.com", "sqladmin.googleapis.com"] : [],
    var.dns_managed_zone != null || var.enable_gke ? ["certificatemanager.googleapis.com", "dns.googleapis.com"] : [],
    var.enable_gke ? ["binaryauthorization.googleapis.com", "container.googleapis.com"] : [],
    var.enable_prediction_sink ? ["bigquery.googleapis.com"] : [],
    local.budget_enabled ? ["billingbudgets.googleapis.com"] : [],
    length(var.notification_channels) > 0 ? ["pubsub.googleapis.com"] : [],
  )
}
