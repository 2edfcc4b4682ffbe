# What answers: Cloud Run, the load balancer in front of it, the VM, and the switch between them.

module "service" {
  source = "./modules/service"
  count  = local.run_enabled ? 1 : 0

  project_id            = module.project_services.project_id
  name                  = local.service_name
  regions               = local.regions
  image                 = var.docker_image
  container_port        = local.container_port
  environment           = local.service_environment
  secret_environment    = local.secret_environment
  api_key_secret        = module.secrets.secret_id
  service_account_email = module.identity.emails["runtime"]
  behind_load_balancer  = var.enable_load_balancer
  min_instances         = var.min_instances
  max_instances         = var.max_instances
  metrics_collector     = local.monitoring_enabled
  vpc                   = local.redis_enabled ? { network_id = module.network.network_id, subnetwork_ids = module.network.subnetwork_ids } : null
  labels                = local.labels
}

module "edge" {
  source = "./modules/edge"
  count  = local.edge_enabled ? 1 : 0

  project_id         = module.project_services.project_id
  name               = var.load_balancer_name
  domain             = var.domain
  dns_managed_zone   = var.dns_managed_zone
  cloud_run          = { service = module.service[0].name, regions = module.service[0].locations }
  vm                 = { instance_group = module.fallback_vm[0].instance_group, port_name = module.fallback_vm[0].port_name }
  timeout_seconds    = module.service[0].timeout_seconds
  active_backend     = var.active_backend
  vm_percent         = var.vm_percent
  enable_cloud_armor = var.enable_cloud_armor
  waf_preview        = var.waf_preview
  rate_limits        = local.rate_limits
  labels             = local.labels
}

module "fallback_vm" {
  source = "./modules/fallback-vm"
  count  = local.vm_enabled ? 1 : 0

  project_id               = module.project_services.project_id
  region                   = var.region
  zone                     = local.zone
  name                     = var.vm_name
  public                   = var.enable_public_ip ? { domain = var.domain } : null
  machine_type             = var.machine_type
  boot_image               = var.vm_image
  disk_size_gb             = var.disk_size_gb
  subnetwork_id            = module.network.subnetwork_ids["primary"]
  service_account_email    = module.identity.emails["vm"]
  image                    = var.docker_image
  models_bucket            = module.storage.buckets["models"]
  container_port           = local.container_port
  environment              = local.vm_environment
  secret_environment       = { for name, secret in local.secret_environment : name => "projects/${var.project_id}/secrets/${secret}" }
  api_key_secret           = module.secrets.secret_name
  failover_settings_object = local.failover_enabled && var.vm_watchdog ? "${local.failover_bucket}/${local.failover_settings}" : null
  max_instances            = var.max_instances
  roller                   = module.identity.members["builder"]
  roller_role              = module.identity.roles["vm_roller"]
  kms_key                  = lookup(local.kms_keys, "disks", null)
  labels                   = local.labels
}

module "failover" {
  source = "./modules/failover"
  count  = local.failover_enabled ? 1 : 0

  project_id      = module.project_services.project_id
  name            = "fail-over"
  region          = var.failover_region
  bucket          = local.failover_bucket
  settings_object = local.failover_settings
  log_bucket      = module.storage.buckets["logs"]
  source_archive  = module.storage.functions_object
  builder_id      = module.identity.ids["builder"]
  controller_role = module.identity.roles["failover"]
  function_email  = module.identity.emails["functions"]
  vm_email        = module.identity.emails["vm"]
  vm_watchdog     = var.vm_watchdog
  active_backend  = var.active_backend
  failback        = var.failback
  url             = module.edge[0].url
  probe_token     = module.edge[0].probe_token
  proxy_id        = module.edge[0].proxy_id
  url_map_ids     = module.edge[0].url_map_ids
  vm_backend_id   = module.edge[0].vm_backend_id
  labels          = local.labels

  depends_on = [module.delivery] # lets functions receive events, and the builder read their source
}
