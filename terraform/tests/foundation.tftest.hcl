# What has to be there before an image can be built, and the rules that it keeps whatever is set.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project_id = "iris-test"
}

run "bootstraps_without_an_image" {
  command = plan

  assert {
    condition = alltrue([
      length(module.service) == 0, length(module.edge) == 0, length(module.fallback_vm) == 0, length(module.failover) == 0,
      length(module.monitoring) == 0, nonsensitive(module.redis.uri == null), length(module.mlflow) == 0, length(module.gke) == 0,
    ])
    error_message = "Without an image nothing is made that needs one."
  }

  assert {
    condition     = output.artifact_registry == "europe-west1-docker.pkg.dev/iris-test/mlops-repo"
    error_message = "The first build has to have a registry to push to."
  }

  assert {
    condition     = output.service_url == null
    error_message = "There is no service yet."
  }
}

run "bootstraps_any_scenario_without_an_image" {
  command = plan

  variables {
    enable_load_balancer     = true
    secondary_region         = "europe-west4"
    min_instances            = 1
    enable_redis             = true
    enable_gke               = true
    enable_monitoring_alerts = true
    enable_prediction_sink   = true
    enable_mlflow_server     = true
    mlflow_image             = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/iris-api-pipeline:latest"
  }

  assert {
    condition = alltrue([
      length(module.service) == 0, length(module.edge) == 0, length(module.fallback_vm) == 0, length(module.failover) == 0,
      length(module.monitoring) == 0, nonsensitive(module.redis.uri == null), length(module.mlflow) == 0, length(module.gke) == 0,
    ])
    error_message = "Without an image nothing is made that needs one, whatever the toggles say."
  }
}

run "roles_of_options_are_there_before_the_options" {
  command = plan

  variables {
    role_suffix = "2"
  }

  assert {
    condition     = toset(keys(module.identity.roles)) == toset(["failover", "trigger_runner", "vm_roller"])
    error_message = "A role that went with its option could not come back with it for 37 days."
  }
}

run "network_lets_in_only_what_is_needed" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    name               = "mlops-network"
    regions            = { primary = "europe-west1", secondary = "europe-west4" }
    service_port       = 8000
    vm_service_account = "mlops-vm-sa@iris-test.iam.gserviceaccount.com"
  }

  assert {
    condition     = toset(keys(google_compute_firewall.allow)) == toset(["iap-ssh", "load-balancer"])
    error_message = "A VM without a public address is reached by the load balancer and through IAP only."
  }

  assert {
    condition     = google_compute_firewall.allow["iap-ssh"].source_ranges == toset(["35.235.240.0/20"])
    error_message = "SSH comes from IAP's range only."
  }

  assert {
    condition     = google_compute_firewall.allow["load-balancer"].source_ranges == toset(["130.211.0.0/22", "35.191.0.0/16"])
    error_message = "The service's port is open to the load balancer's range and its health checks' only."
  }

  assert {
    condition     = alltrue([for rule in google_compute_firewall.allow : rule.target_service_accounts == toset(["mlops-vm-sa@iris-test.iam.gserviceaccount.com"])])
    error_message = "Every rule aims at the VMs, not at the whole network."
  }

  assert {
    condition     = one(google_compute_firewall.deny.deny).protocol == "all" && google_compute_firewall.deny.priority > 1000
    error_message = "All that no rule allows is refused."
  }

  assert {
    condition = alltrue([
      for rule in concat(values(google_compute_firewall.allow), [google_compute_firewall.deny]) : length(rule.log_config) == 1
    ])
    error_message = "Every rule is logged."
  }

  assert {
    condition = alltrue([
      for subnetwork in google_compute_subnetwork.default : subnetwork.private_ip_google_access && length(subnetwork.log_config) == 1
    ])
    error_message = "Each subnet reaches Google without a public address, and logs its flows."
  }

  assert {
    condition     = length(google_compute_router_nat.default) == 2
    error_message = "Each region has a way out."
  }
}

run "public_vm_without_a_domain_is_open_to_the_listed_addresses" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    name               = "mlops-network"
    regions            = { primary = "europe-west1" }
    service_port       = 8000
    vm_service_account = "mlops-vm-sa@iris-test.iam.gserviceaccount.com"
    http_ranges        = ["203.0.113.7/32"]
    ssh_ranges         = ["203.0.113.8/32"]
  }

  assert {
    condition     = google_compute_firewall.allow["http"].source_ranges == toset(["203.0.113.7/32"])
    error_message = "HTTP comes from the listed addresses only."
  }

  assert {
    condition     = google_compute_firewall.allow["ssh"].source_ranges == toset(["203.0.113.8/32"])
    error_message = "SSH comes from the listed addresses and IAP only."
  }

  assert {
    condition     = length(google_compute_firewall.certificate) == 0
    error_message = "Without a domain nothing is open to everybody."
  }
}

run "public_vm_with_a_domain_proves_it_to_anybody" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    name               = "mlops-network"
    regions            = { primary = "europe-west1" }
    service_port       = 8000
    vm_service_account = "mlops-vm-sa@iris-test.iam.gserviceaccount.com"
    http_ranges        = ["203.0.113.7/32"]
    tls                = true
  }

  assert {
    condition     = one(google_compute_firewall.allow["http"].allow).ports == tolist(["443"])
    error_message = "The service itself is reached by HTTPS only."
  }

  assert {
    condition     = one(google_compute_firewall.certificate[0].allow).ports == tolist(["80"])
    error_message = "Let's Encrypt reaches port 80, and nothing else."
  }
}

run "identities_have_the_least_that_works" {
  command = plan

  module {
    source = "./modules/identity"
  }

  variables {
    iap_tunnel_users = ["me@example.com", "group:operators@example.com"]
    runtime_name     = "mlops-api-sa"
    role_suffix      = "2"
  }

  assert {
    condition = toset([for account in google_service_account.default : account.account_id]) == toset([
      "mlops-api-sa", "mlops-builder-sa", "mlops-functions-sa", "mlops-scheduler-sa", "mlops-vm-sa",
    ])
    error_message = "Each thing that acts has an identity of its own."
  }

  assert {
    condition = toset([for binding in google_project_iam_member.writers : binding.role]) == toset([
      "roles/cloudtrace.agent", "roles/logging.logWriter", "roles/monitoring.metricWriter",
    ])
    error_message = "On the project there is leave to write logs, metrics and traces, and no other: no secret, no bucket, no image."
  }

  assert {
    condition     = toset([for binding in google_iap_tunnel_iam_member.operators : binding.member]) == toset(["group:operators@example.com", "user:me@example.com"])
    error_message = "A plain e-mail address is a user."
  }

  assert {
    condition     = alltrue([for binding in google_iap_tunnel_iam_member.operators : one(binding.condition).expression == "destination.port == 22"])
    error_message = "The tunnel leads to SSH only."
  }

  assert {
    condition     = toset(keys(google_service_account_iam_member.builder_deploys_as)) == toset(["runtime", "vm"])
    error_message = "A build acts as the service and the VM, and as nobody else."
  }

  assert {
    condition     = toset([for role in google_project_iam_custom_role.default : role.role_id]) == toset(["mlopsFailover2", "mlopsTriggerRunner2", "mlopsVmRoller2"])
    error_message = "A suffix makes ids that no deleted role has."
  }

  assert {
    condition = alltrue([
      for permission in google_project_iam_custom_role.default["failover"].permissions :
      endswith(permission, ".get") || contains(["compute.targetHttpProxies.setUrlMap", "compute.targetHttpsProxies.setUrlMap", "compute.urlMaps.use"], permission)
    ])
    error_message = "The failover reads, and points the proxy at one of the maps."
  }

  assert {
    condition     = google_project_iam_custom_role.default["trigger_runner"].permissions == toset(["cloudbuild.builds.create", "cloudbuild.builds.get", "cloudbuild.builds.list"])
    error_message = "Function and schedule run triggers, and no more."
  }

  assert {
    condition     = alltrue([for permission in google_project_iam_custom_role.default["vm_roller"].permissions : !can(regex("delete|create|setIamPolicy|setMetadata", permission))])
    error_message = "A roll makes and deletes nothing by itself."
  }
}

run "secret_is_read_by_those_who_are_named" {
  command = plan

  module {
    source = "./modules/secrets"
  }

  variables {
    region        = "europe-west1"
    secret_id     = "mlops-api-key"
    create        = true
    value         = "0123456789abcdef0123456789abcdef"
    value_version = "1"
    accessors     = { runtime = "serviceAccount:mlops-api-sa@iris-test.iam.gserviceaccount.com" }
  }

  assert {
    condition = alltrue([
      for binding in google_secret_manager_secret_iam_member.accessors :
      binding.secret_id == "mlops-api-key" && binding.role == "roles/secretmanager.secretAccessor"
    ])
    error_message = "Who reads the secret is bound on the secret."
  }

  assert {
    condition     = output.secret_name == "projects/iris-test/secrets/mlops-api-key"
    error_message = "Others name the secret in full."
  }

  assert {
    condition     = google_secret_manager_secret_version.default[0].secret_data == null
    error_message = "The value is given by the argument that leaves no trace in the state."
  }
}

run "secret_that_is_there_already_is_only_opened" {
  command = plan

  module {
    source = "./modules/secrets"
  }

  variables {
    region        = "europe-west1"
    secret_id     = "mine"
    create        = false
    value_version = "1"
    accessors     = { runtime = "serviceAccount:mlops-api-sa@iris-test.iam.gserviceaccount.com" }
  }

  assert {
    condition     = length(google_secret_manager_secret.default) == 0 && length(google_secret_manager_secret_version.default) == 0
    error_message = "A secret that somebody else made is left as it is."
  }

  assert {
    condition     = google_secret_manager_secret_iam_member.accessors["runtime"].secret_id == "mine"
    error_message = "The service may read it all the same."
  }
}

run "keys_rotate_and_cannot_be_lost" {
  command = plan

  module {
    source = "./modules/kms"
  }

  variables {
    project_number = "123456789012"
    region         = "europe-west1"
  }

  assert {
    condition     = toset(keys(output.key_ids)) == toset(["disks", "registry", "secrets", "storage"])
    error_message = "Each use has a key."
  }

  assert {
    condition     = alltrue([for key in google_kms_crypto_key.default : key.rotation_period == "7776000s"])
    error_message = "Keys rotate every 90 days."
  }

  assert {
    condition     = toset([for binding in google_kms_crypto_key_iam_member.users : binding.role]) == toset(["roles/cloudkms.cryptoKeyEncrypterDecrypter"])
    error_message = "Google's service agents encrypt and decrypt, and no more."
  }
}

run "key_that_is_there_already_serves_all_uses" {
  command = plan

  module {
    source = "./modules/kms"
  }

  variables {
    project_number = "123456789012"
    region         = "europe-west1"
    key_name       = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
  }

  assert {
    condition     = length(google_kms_crypto_key.default) == 0 && length(google_kms_key_ring.default) == 0
    error_message = "No key is made beside the given one."
  }

  assert {
    condition     = toset(values(output.key_ids)) == toset(["projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"])
    error_message = "The given key serves all."
  }
}
