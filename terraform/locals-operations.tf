locals {
  # What every trigger tells cloudbuild.yaml; what users give to `gcloud builds submit` by hand.
  build_substitutions = {
    _API_KEY_SECRET          = module.secrets.secret_id
    _CANDIDATE_TOKEN         = local.edge_enabled ? module.edge[0].candidate_token : ""
    _DVC_BUCKET              = module.storage.buckets["dvc"]
    _MLFLOW_TRACKING_URI     = local.mlflow_tracking_uri
    _MODELS_BUCKET           = module.storage.buckets["models"]
    _REGION                  = var.region
    _REPOSITORY              = module.registry.repository_id
    _RUNTIME_SERVICE_ACCOUNT = module.identity.emails["runtime"]
    _SECONDARY_REGION        = var.secondary_region
    _SERVICE                 = var.enable_public_ip ? "" : local.service_name
    _SERVICE_URL             = local.edge_enabled ? module.edge[0].url : ""
    _VM_GROUP                = local.vm_enabled ? module.fallback_vm[0].vm_name : ""
  }

  # Where Google's uptime checkers, whose addresses change, can reach the service: a public VM that
  # admits a list of addresses can't be watched from outside.
  watched_endpoint = (
    local.edge_enabled ? { host = module.edge[0].host, port = var.domain == "" ? 80 : 443, tls = var.domain != "" }
    : local.run_enabled ? { host = trimprefix(local.run_url, "https://"), port = 443, tls = true }
    : contains(var.allowed_http_ips, "0.0.0.0/0") ? { host = var.domain, port = 443, tls = true }
    : null
  )
}
