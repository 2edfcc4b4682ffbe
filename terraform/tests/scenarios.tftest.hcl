# Each file of examples/ with its own values: tests/terraform/ compares them.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project_id   = "iris-test"
  docker_image = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/iris-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}

run "default" {
  command = plan

  variables {}

  assert {
    condition     = length(module.service) == 1 && length(module.edge) == 0 && length(module.fallback_vm) == 0 && length(module.failover) == 0
    error_message = "There is Cloud Run, and nothing else to pay for."
  }

  assert {
    condition     = output.service_url == module.service[0].uri && startswith(output.service_url, "https://")
    error_message = "The service answers on its own run.app address."
  }

  assert {
    condition     = output.load_balancer_ip == null && output.vm_name == null
    error_message = "There is neither load balancer nor VM."
  }

  assert {
    condition     = local.trusted_proxy_hops == 1
    error_message = "Only Cloud Run's front end appends to X-Forwarded-For."
  }

  assert {
    condition     = !output.monitoring_enabled
    error_message = "Monitoring is an option."
  }
}

run "edge" {
  command = plan

  variables {
    enable_load_balancer = true
    domain               = "api.example.com"
    cors_origins         = "https://app.example.com"
    min_instances        = 1
    functions_archive    = "tests/functions.zip"
    iap_tunnel_users     = ["group:operators@example.com"]
  }

  assert {
    condition     = output.load_balancer_url == "https://api.example.com" && output.service_url == output.load_balancer_url
    error_message = "The service is called by its domain."
  }

  assert {
    condition     = module.service[0].uri == null
    error_message = "Cloud Run's own address would lead around Cloud Armor."
  }

  assert {
    condition     = module.edge[0].security_policy_name != null
    error_message = "Cloud Armor is on unless it is switched off."
  }

  assert {
    condition     = toset(keys(module.edge[0].url_map_ids)) == toset(["fallback", "primary"])
    error_message = "There is a map for each position of the switch."
  }

  assert {
    condition     = length(module.failover) == 1
    error_message = "The function turns to the VM by itself."
  }

  assert {
    condition     = output.vm_name == "iris-api-server" && output.vm_external_ip == null
    error_message = "The fallback has no address that would lead around the load balancer."
  }

  assert {
    condition     = local.trusted_proxy_hops == 2
    error_message = "The load balancer appends the client's address and its own."
  }
}

run "edge_trial" {
  command = plan

  variables {
    enable_load_balancer = true
    enable_public_ip     = false
    allowed_http_ips     = ["130.211.0.0/22", "35.191.0.0/16"]
    allowed_ssh_ips      = []
  }

  assert {
    condition     = startswith(output.load_balancer_url, "http://")
    error_message = "Without a domain there is no certificate."
  }

  assert {
    condition     = length(module.failover) == 0 && length(module.fallback_vm) == 1
    error_message = "Without the functions' source the switch is turned by hand."
  }

  expect_failures = [check.edge_has_tls] # says so at each plan
}

run "public_vm" {
  command = plan

  variables {
    enable_public_ip = true
    domain           = "api.example.com"
    allowed_http_ips = ["0.0.0.0/0"]
    iap_tunnel_users = ["me@example.com"]
  }

  assert {
    condition     = length(module.service) == 0 && length(module.edge) == 0 && length(module.fallback_vm) == 1
    error_message = "There is a VM, and no Cloud Run."
  }

  assert {
    condition     = output.service_url == "https://api.example.com" && output.vm_external_ip != null
    error_message = "The VM is called by its domain."
  }

  assert {
    condition     = local.trusted_proxy_hops == 1
    error_message = "Caddy appends the client's address."
  }
}

run "public_vm_trial" {
  command = plan

  variables {
    enable_public_ip = true
    allowed_http_ips = ["203.0.113.7/32"]
    allowed_ssh_ips  = ["203.0.113.7/32"]
  }

  assert {
    condition     = startswith(output.service_url, "http://")
    error_message = "Without a domain there is no certificate."
  }

  assert {
    condition     = local.trusted_proxy_hops == 0
    error_message = "Nothing stands in front that could be believed."
  }

  expect_failures = [check.public_vm_has_tls] # says so at each plan
}

run "complete" {
  command = plan

  variables {
    enable_load_balancer = true
    domain               = "api.example.com"
    secondary_region     = "europe-west4"
    min_instances        = 1
    max_instances        = 10
    deletion_protection  = true
    tags                 = { environment = "production" }

    functions_archive   = "tests/functions.zip"
    failback            = "automatic"
    retraining_schedule = "0 3 * * 1"
    repository          = "projects/iris-test/locations/europe-west1/connections/github/repositories/mlops-core"

    enable_kms_encryption    = true
    enable_redis             = true
    enable_mlflow_server     = true
    mlflow_image             = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/iris-api-pipeline@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    mlflow_users             = ["group:ml@example.com"]
    enable_gke               = true
    enable_prediction_sink   = true
    enable_monitoring_alerts = true
    notification_channels    = ["email:oncall@example.com", "pubsub:alerts"]

    billing_account = "012345-6789AB-CDEF01"
    budget_amount   = 300
  }

  assert {
    condition = alltrue([
      for made in [
        module.service, module.edge, module.fallback_vm, module.failover, module.monitoring, module.mlflow, module.gke,
        module.prediction_sink, module.budget, module.kms,
      ] : length(made) == 1
    ]) && nonsensitive(module.redis.uri != null)
    error_message = "Everything is there."
  }

  assert {
    condition     = toset(keys(module.service[0].locations)) == toset(["primary", "secondary"])
    error_message = "Cloud Run answers from both regions."
  }

  assert {
    condition     = toset(keys(module.network.subnetwork_ids)) == toset(["primary", "secondary"])
    error_message = "Both regions have a subnet."
  }

  assert {
    condition     = output.monitoring_enabled
    error_message = "Monitoring is on."
  }

  assert {
    condition     = local.labels.environment == "production"
    error_message = "One's own labels are on all resources."
  }
}

run "edge_whose_domain_is_in_cloud_dns" {
  command = plan

  variables {
    enable_load_balancer = true
    domain               = "api.example.com"
    dns_managed_zone     = "example"
  }

  assert {
    condition     = length(setsubtract(["certificatemanager.googleapis.com", "dns.googleapis.com"], local.services)) == 0
    error_message = "Certificate and records need services of their own."
  }
}

run "limits_that_are_raised_are_raised_everywhere" {
  command = plan

  variables {
    enable_load_balancer = true
    domain               = "api.example.com"
    rate_limits          = { predict = 600 }
  }

  assert {
    condition     = local.service_environment.RATE_LIMIT_PREDICT == "600" && local.service_environment.RATE_LIMIT_HEALTH == "30"
    error_message = "The service has the limit that is given, and its own defaults for the others."
  }
}
