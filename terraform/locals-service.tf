locals {
  # Cloud Run's address is known beforehand: name, project's number, region.
  run_url = "https://${local.service_name}-${module.project_services.project_number}.${var.region}.run.app"

  cors_origins        = coalesce(var.cors_origins, var.domain == "" ? local.run_url : "https://${var.domain}")
  mlflow_tracking_uri = coalesce(var.mlflow_tracking_uri, "gs://${local.models_bucket}/mlruns/")
  model_uri           = "gs://${local.models_bucket}/models/champion.json"
  rate_limits         = var.rate_limits

  # Proxies in front that append to X-Forwarded-For: the service believes so many entries, no more.
  # Behind the load balancer: the client's address and the load balancer's own. On run.app: the
  # client's. A public VM has Caddy in front when it has a domain, else nothing.
  trusted_proxy_hops = var.enable_load_balancer ? 2 : var.enable_public_ip ? (var.domain == "" ? 0 : 1) : 1

  # The settings (functions/settings.py) that Cloud Run and the VM share.
  service_environment = {
    API_KEY_FILE             = "/etc/iris-api/keys/api-key"
    CORS_ORIGINS             = local.cors_origins
    ENVIRONMENT              = "production"
    GOOGLE_CLOUD_PROJECT     = var.project_id
    MLFLOW_TRACKING_URI      = local.mlflow_tracking_uri
    RATE_LIMIT_AUTH_FAILURES = tostring(local.rate_limits.auth_failures)
    RATE_LIMIT_HEALTH        = tostring(local.rate_limits.health)
    RATE_LIMIT_MODEL_INFO    = tostring(local.rate_limits.model_info)
    RATE_LIMIT_PREDICT       = tostring(local.rate_limits.predict)
    TRUSTED_PROXY_HOPS       = tostring(local.trusted_proxy_hops)
  }

  # VMs follow the champion's pointer. A revision of Cloud Run carries the model that a build tried with it, and a
  # MODEL_URI there would let the traffic's shift prove nothing (docs/adr/0014-a-revision-carries-its-model.md).
  vm_environment = merge(local.service_environment, { MODEL_URI = local.model_uri })

  # Settings that are secrets: name of the variable to name of the secret.
  secret_environment = local.redis_enabled ? { RATELIMIT_STORAGE_URI = module.redis.uri_secret_id } : {}

  # Named here, because the VM reads what module failover, which comes after it, writes.
  failover_bucket   = "${var.project_id}-failover"
  failover_settings = "failover/settings.env"
}
