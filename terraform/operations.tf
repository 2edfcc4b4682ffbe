# What is around the service: how it gets built and retrained, who watches it, and the options.

module "delivery" {
  source = "./modules/delivery"

  project_id                = module.project_services.project_id
  project_number            = module.project_services.project_number
  region                    = var.region
  repository                = var.repository
  repository_type           = var.repository_type
  branch                    = var.repository_branch
  substitutions             = local.build_substitutions
  builder_service_account   = module.identity.ids["builder"]
  functions_service_account = module.identity.emails["functions"]
  scheduler_service_account = module.identity.emails["scheduler"]
  retraining_schedule       = var.retraining_schedule
  role_suffix               = var.role_suffix
  trigger_runner_role       = module.identity.roles["trigger_runner"]
  functions_source          = local.functions_enabled ? module.storage.functions_object : null
  image_repository          = "projects/${var.project_id}/locations/${var.region}/repositories/${module.registry.repository_id}"
  watched_bucket            = module.storage.buckets["models"]
  labels                    = local.labels

  services = local.run_enabled ? {
    for key in keys(local.regions) : key => { location = module.service[0].locations[key], name = module.service[0].name }
  } : {}
}

module "monitoring" {
  source = "./modules/monitoring"
  count  = local.monitoring_enabled ? 1 : 0

  project_id            = module.project_services.project_id
  project_number        = module.project_services.project_number
  service_name          = local.service_name
  notification_channels = var.notification_channels
  documentation_url     = var.documentation_url
  endpoint              = local.watched_endpoint
  measured_at           = local.edge_enabled ? "load_balancer" : local.run_enabled ? "cloud_run" : "uptime_check"
  backend_names         = local.edge_enabled ? [for key, name in module.edge[0].backend_names : name if key != "candidate"] : []
  prometheus_enabled    = local.run_enabled || local.gke_enabled
  labels                = local.labels
}

module "redis" {
  source = "./modules/redis"

  enabled             = local.redis_enabled
  project_id          = module.project_services.project_id
  region              = var.region
  name                = "${local.service_name}-limits"
  network_id          = module.network.network_id
  accessors           = { for key in ["runtime", "vm"] : key => module.identity.members[key] }
  kms_key             = lookup(local.kms_keys, "secrets", null)
  deletion_protection = var.deletion_protection
  labels              = local.labels
}

module "mlflow" {
  source = "./modules/mlflow"
  count  = local.mlflow_enabled ? 1 : 0

  project_id          = module.project_services.project_id
  project_number      = module.project_services.project_number
  region              = var.region
  image               = var.mlflow_image
  users               = var.mlflow_users
  artifacts_uri       = "${module.storage.urls["models"]}/mlruns/"
  network_id          = module.network.network_id
  subnetwork_id       = module.network.subnetwork_ids["primary"]
  deletion_protection = var.deletion_protection
  labels              = local.labels
}

module "gke" {
  source = "./modules/gke"
  count  = local.gke_enabled ? 1 : 0

  project_id          = module.project_services.project_id
  region              = var.region
  network_id          = module.network.network_id
  subnetwork_id       = module.network.subnetwork_ids["primary"]
  repository_id       = module.registry.repository_id
  kms_key             = lookup(local.kms_keys, "disks", null)
  deletion_protection = var.deletion_protection
  labels              = local.labels

  workload_identities = { # as the annotations in k8s/ say
    iris-api         = module.identity.ids["runtime"]
    iris-api-retrain = module.identity.ids["builder"]
    iris-api-score   = module.identity.ids["builder"]
  }
}

module "prediction_sink" {
  source = "./modules/prediction-sink"
  count  = local.prediction_sink_enabled ? 1 : 0

  project_id                 = module.project_services.project_id
  region                     = var.region
  delete_contents_on_destroy = var.force_destroy_bucket
  labels                     = local.labels
}

module "budget" {
  source = "./modules/budget"
  count  = local.budget_enabled ? 1 : 0

  project_id        = module.project_services.project_id
  project_number    = module.project_services.project_number
  billing_account   = var.billing_account
  amount            = var.budget_amount
  email_channel_ids = local.monitoring_enabled ? module.monitoring[0].email_channel_ids : []
}
