# The Cloud Run service: who can reach it, with what keys and probes, and that it scales on purpose.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id            = "iris-test"
  name                  = "iris-api"
  regions               = { primary = "europe-west1" }
  image                 = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/iris-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  container_port        = 8000
  environment           = { API_KEY_FILE = "/etc/iris-api/keys/api-key", ENVIRONMENT = "production" }
  api_key_secret        = "mlops-api-key"
  service_account_email = "mlops-api-sa@iris-test.iam.gserviceaccount.com"
  behind_load_balancer  = false
  max_instances         = 3
}

run "answers_at_its_own_address_without_a_load_balancer" {
  module {
    source = "./modules/service"
  }

  assert {
    condition     = google_cloud_run_v2_service.default["primary"].ingress == "INGRESS_TRAFFIC_ALL" && !google_cloud_run_v2_service.default["primary"].default_uri_disabled
    error_message = "the first deployment is reached at its run.app address"
  }

  assert {
    condition     = output.uri == google_cloud_run_v2_service.default["primary"].uri
    error_message = "its address is an output"
  }

  assert {
    condition     = google_cloud_run_v2_service.default["primary"].invoker_iam_disabled
    error_message = "callers prove themselves by the key, without a public member in IAM"
  }
}

run "is_reached_only_through_the_load_balancer" {
  module {
    source = "./modules/service"
  }

  variables {
    behind_load_balancer = true
  }

  assert {
    condition     = google_cloud_run_v2_service.default["primary"].ingress == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER" && google_cloud_run_v2_service.default["primary"].default_uri_disabled
    error_message = "nobody passes Cloud Armor by"
  }

  assert {
    condition     = output.uri == null
    error_message = "an address that is off is no output"
  }
}

run "reads_its_keys_from_a_file_that_follows_the_secret" {
  module {
    source = "./modules/service"
  }

  assert {
    condition = alltrue([
      for template in google_cloud_run_v2_service.default["primary"].template :
      "${template.containers[0].volume_mounts[0].mount_path}/${template.volumes[0].secret[0].items[0].path}" == var.environment["API_KEY_FILE"]
    ])
    error_message = "the keys are at API_KEY_FILE"
  }

  assert {
    condition = alltrue([
      for volume in google_cloud_run_v2_service.default["primary"].template[0].volumes :
      volume.secret[0].secret == "mlops-api-key" && volume.secret[0].items[0].version == "latest"
    ])
    error_message = "the newest version, so that a rotated key works without a new revision"
  }

  assert {
    condition     = !contains([for variable in google_cloud_run_v2_service.default["primary"].template[0].containers[0].env : variable.name], "API_KEY")
    error_message = "no key in the environment"
  }
}

run "asks_for_the_model_before_and_for_the_process_after" {
  module {
    source = "./modules/service"
  }

  assert {
    condition     = google_cloud_run_v2_service.default["primary"].template[0].containers[0].startup_probe[0].http_get[0].path == "/health/ready"
    error_message = "no request before there is a model"
  }

  assert {
    condition     = google_cloud_run_v2_service.default["primary"].template[0].containers[0].liveness_probe[0].http_get[0].path == "/health/live"
    error_message = "without a model the service is live: a restart would bring none"
  }

  assert {
    condition     = length(google_cloud_run_v2_service.default["primary"].template[0].containers[0].readiness_probe) == 0
    error_message = "one region reports no health, since there is no other to turn to"
  }
}

run "pays_for_cpu_while_it_answers_only" {
  module {
    source = "./modules/service"
  }

  assert {
    condition = alltrue([
      for resources in google_cloud_run_v2_service.default["primary"].template[0].containers[0].resources :
      resources.cpu_idle && resources.startup_cpu_boost && resources.limits["cpu"] == "1"
    ])
    error_message = "one core, boosted at the start, and nothing to pay between requests"
  }

  assert {
    condition     = google_cloud_run_v2_service.default["primary"].template[0].max_instance_request_concurrency == 40 && google_cloud_run_v2_service.default["primary"].scaling[0].max_instance_count == 3
    error_message = "concurrency and scale are set on purpose"
  }

  assert {
    condition     = length(google_cloud_run_v2_service.default["primary"].template[0].containers) == 1 && length(google_cloud_run_v2_service.default["primary"].template[0].vpc_access) == 0
    error_message = "no sidecar and no network unless asked for"
  }
}

run "scrapes_itself_with_monitoring" {
  module {
    source = "./modules/service"
  }

  variables {
    metrics_collector = true
  }

  assert {
    condition     = [for container in google_cloud_run_v2_service.default["primary"].template[0].containers : container.name] == ["iris-api", "collector"]
    error_message = "the collector runs beside the service"
  }

  assert {
    condition     = alltrue([for container in google_cloud_run_v2_service.default["primary"].template[0].containers : !container.resources[0].cpu_idle])
    error_message = "a collector needs CPU between requests"
  }

  assert {
    condition     = yamldecode(google_secret_manager_secret_version.collector.secret_data).spec.endpoints == [{ interval = "30s", path = "/metrics", port = "8000" }]
    error_message = "it scrapes the service's own port"
  }

  assert {
    condition     = google_secret_manager_secret_iam_member.collector.role == "roles/secretmanager.secretAccessor"
    error_message = "the service may read the collector's configuration"
  }
}

run "can_start_what_still_mounts_the_collectors_configuration" {
  module {
    source = "./modules/service"
  }

  variables {
    metrics_collector = false
  }

  assert {
    condition     = [for volume in google_cloud_run_v2_service.default["primary"].template[0].volumes : volume.name] == ["keys"]
    error_message = "a new revision mounts the keys alone"
  }

  assert {
    condition     = google_secret_manager_secret.collector.secret_id == "iris-api-metrics-collector" && google_secret_manager_secret_version.collector.secret == google_secret_manager_secret.collector.id
    error_message = "the revision that serves until the next deployment finds what it mounts"
  }
}

run "reaches_redis_by_the_network_with_its_uri_from_a_secret" {
  module {
    source = "./modules/service"
  }

  variables {
    secret_environment = { RATELIMIT_STORAGE_URI = "iris-api-redis-uri" }
    vpc                = { network_id = "network", subnetwork_ids = { primary = "subnet" } }
  }

  assert {
    condition     = one([for variable in google_cloud_run_v2_service.default["primary"].template[0].containers[0].env : variable.value_source[0].secret_key_ref[0].secret if variable.name == "RATELIMIT_STORAGE_URI"]) == "iris-api-redis-uri"
    error_message = "the URI holds a password, so it comes from a secret"
  }

  assert {
    condition = alltrue([
      for access in google_cloud_run_v2_service.default["primary"].template[0].vpc_access :
      access.egress == "PRIVATE_RANGES_ONLY" && access.network_interfaces[0].subnetwork == "subnet"
    ]) && length(google_cloud_run_v2_service.default["primary"].template[0].vpc_access) == 1
    error_message = "private addresses are reached directly, without a connector"
  }
}

run "reports_health_from_two_regions" {
  module {
    source = "./modules/service"
  }

  variables {
    regions              = { primary = "europe-west1", secondary = "europe-west4" }
    behind_load_balancer = true
    min_instances        = 1
  }

  assert {
    condition     = alltrue([for service in google_cloud_run_v2_service.default : service.template[0].containers[0].readiness_probe[0].http_get[0].path == "/health/ready"])
    error_message = "the load balancer learns of each region whether it can predict"
  }

  assert {
    condition     = alltrue([for service in google_cloud_run_v2_service.default : service.scaling[0].min_instance_count >= 1])
    error_message = "without a running instance a region reports nothing"
  }
}

run "refuses_a_second_region_that_reports_nothing" {
  command = plan

  module {
    source = "./modules/service"
  }

  variables {
    regions              = { primary = "europe-west1", secondary = "europe-west4" }
    behind_load_balancer = true
    min_instances        = 0
  }

  expect_failures = [google_cloud_run_v2_service.default]
}

run "refuses_a_port_in_the_environment" {
  command = plan

  module {
    source = "./modules/service"
  }

  variables {
    environment = { API_KEY_FILE = "/etc/iris-api/keys/api-key", PORT = "8000" }
  }

  expect_failures = [var.environment]
}
