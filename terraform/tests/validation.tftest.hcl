# Each validation refuses what it is there for. tests/terraform/ holds the list of variables complete.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project_id = "iris-test"
}

run "refuses_values_of_another_form" {
  command = plan

  variables {
    active_backend              = "cloud-run"
    api_key_value               = "short"
    api_key_version             = "0"
    billing_account             = "012345"
    bucket_name                 = "gs://mine"
    cors_origins                = "https://app.example.com,*"
    disk_size_gb                = 5
    documentation_url           = "docs"
    docker_image                = "iris-api:latest"
    domain                      = "https://api.example.com"
    failback                    = "never"
    functions_archive           = "missing.zip"
    iap_tunnel_users            = ["allUsers"]
    load_balancer_name          = "Iris"
    machine_type                = "big"
    min_instances               = -1
    mlflow_users                = ["allUsers"]
    mlflow_tracking_uri         = "file:./mlruns"
    network_name                = "Network"
    notification_channels       = ["admin@example.com"]
    project_id                  = "123456789012"
    rate_limits                 = { predict = 0 }
    repository_type             = "GITLAB"
    retraining_schedule         = "weekly"
    role_suffix                 = "-2"
    secret_manager_api_key_name = ""
    service_account_name        = "me@example.com"
    tags                        = { team = "data science" }
    vm_image                    = "ubuntu-os-cloud/ubuntu-2204-lts"
    vm_name                     = "Server"
    vm_percent                  = 101
  }

  expect_failures = [
    var.active_backend,
    var.api_key_value,
    var.api_key_version,
    var.billing_account,
    var.bucket_name,
    var.cors_origins,
    var.disk_size_gb,
    var.documentation_url,
    var.docker_image,
    var.domain,
    var.failback,
    var.functions_archive,
    var.iap_tunnel_users,
    var.load_balancer_name,
    var.machine_type,
    var.min_instances,
    var.mlflow_users,
    var.mlflow_tracking_uri,
    var.network_name,
    var.notification_channels,
    var.project_id,
    var.rate_limits,
    var.repository_type,
    var.retraining_schedule,
    var.role_suffix,
    var.secret_manager_api_key_name,
    var.service_account_name,
    var.tags,
    var.vm_image,
    var.vm_name,
    var.vm_percent,
  ]
}

run "refuses_further_forms" {
  command = plan

  variables {
    enable_kms_encryption = true
    enable_load_balancer  = true
    min_instances         = 1

    budget_amount         = -1
    api_key_value         = "0123456789abcdef0123456789abcdef\nshort"
    cors_origins          = "https://app.example.com, https://other.example.com/"
    docker_image          = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/iris-api"
    iap_tunnel_users      = ["me@example.com", "user:nobody"]
    kms_key_name          = "projects/p/locations/us/keyRings/r/cryptoKeys/k"
    max_instances         = 101
    notification_channels = ["email:admin"]
    rate_limits           = { health = 1.5 }
    repository            = "https://github.com/me/mlops-core"
    failover_region       = "europe-west1"
    secondary_region      = "europe"
    vm_percent            = 0.5
    zone                  = "us-central1-a"
  }

  expect_failures = [
    var.budget_amount,
    var.api_key_value,
    var.cors_origins,
    var.docker_image,
    var.iap_tunnel_users,
    var.kms_key_name,
    var.max_instances,
    var.notification_channels,
    var.rate_limits,
    var.repository,
    var.failover_region,
    var.secondary_region,
    var.vm_percent,
    var.zone,
  ]
}

run "refuses_a_zone_as_region" {
  command = plan

  variables {
    region = "europe-west1-b"
  }

  expect_failures = [
    var.region,
  ]
}

run "refuses_what_needs_something_else" {
  command = plan

  variables {
    enable_mlflow_server = true
    min_instances        = 2

    active_backend      = "vm"
    dns_managed_zone    = "zone"
    allowed_ssh_ips     = ["203.0.113.7/32"]
    budget_amount       = 100
    kms_key_name        = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
    max_instances       = 1
    mlflow_image        = ""
    retraining_schedule = "0 3 * * 1"
    secondary_region    = "europe-west4"
  }

  expect_failures = [
    var.active_backend,
    var.dns_managed_zone,
    var.allowed_ssh_ips,
    var.budget_amount,
    var.kms_key_name,
    var.max_instances,
    var.mlflow_image,
    var.retraining_schedule,
    var.secondary_region,
  ]
}

run "refuses_a_second_region_that_is_the_first" {
  command = plan

  variables {
    enable_load_balancer = true
    min_instances        = 1

    secondary_region = "europe-west1"
  }

  expect_failures = [
    var.secondary_region,
  ]
}

run "refuses_a_second_region_that_scales_to_zero" {
  command = plan

  variables {
    enable_load_balancer = true

    secondary_region = "europe-west4"
  }

  expect_failures = [
    var.secondary_region,
  ]
}

run "refuses_address_ranges_without_a_prefix" {
  command = plan

  variables {
    enable_public_ip = true

    allowed_http_ips = ["203.0.113.7"]
    allowed_ssh_ips  = ["203.0.113.7"]
  }

  expect_failures = [
    var.allowed_http_ips,
    var.allowed_ssh_ips,
  ]
}

run "refuses_to_open_a_public_vm_to_everybody" {
  command = plan

  variables {
    enable_public_ip = true

    allowed_http_ips = ["0.0.0.0/0"]
    allowed_ssh_ips  = ["0.0.0.0/0"]
  }

  expect_failures = [
    var.allowed_http_ips,
    var.allowed_ssh_ips,
  ]
}

run "refuses_to_open_ssh_to_everybody_in_halves" {
  command = plan

  variables {
    allowed_http_ips = ["203.0.113.7/32"]
    enable_public_ip = true

    allowed_ssh_ips = ["0.0.0.0/1", "128.0.0.0/1"]
  }

  expect_failures = [
    var.allowed_ssh_ips,
  ]
}

run "refuses_a_public_vm_that_nobody_may_call" {
  command = plan

  variables {
    enable_public_ip = true

    allowed_http_ips = []
  }

  expect_failures = [
    var.allowed_http_ips,
  ]
}

run "refuses_a_public_vm_behind_a_load_balancer" {
  command = plan

  variables {
    allowed_http_ips     = ["203.0.113.7/32"]
    enable_load_balancer = true

    enable_public_ip = true
  }

  expect_failures = [
    var.enable_public_ip,
  ]
}
