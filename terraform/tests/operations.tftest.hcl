# The options as the root composes them: what each scenario tells the builds, and who gets what.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id        = "iris-test"
  api_key_value     = "0123456789abcdef0123456789abcdef"
  docker_image      = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/iris-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  repository        = "projects/iris-test/locations/europe-west1/connections/github/repositories/mlops-core"
  functions_archive = "tests/functions.zip"
}

run "tells_builds_where_the_service_is" {
  assert {
    condition = local.build_substitutions == {
      _API_KEY_SECRET          = "mlops-api-key"
      _CANDIDATE_TOKEN         = ""
      _DVC_BUCKET              = "iris-test-dvc-cache"
      _MLFLOW_TRACKING_URI     = "gs://iris-test-ml-models/mlruns/"
      _MODELS_BUCKET           = "iris-test-ml-models"
      _REGION                  = "europe-west1"
      _REPOSITORY              = "mlops-repo"
      _RUNTIME_SERVICE_ACCOUNT = "mock-sa@iris-test.iam.gserviceaccount.com"
      _SECONDARY_REGION        = ""
      _SERVICE                 = "iris-api"
      _SERVICE_URL             = ""
      _VM_GROUP                = ""
    }
    error_message = "on run.app the candidate has an address of its own, and there is no VM"
  }

  assert {
    condition     = keys(output.trigger_ids) == ["data", "manual", "push"]
    error_message = "a connected repository has its triggers"
  }
}

run "tells_builds_how_to_pass_the_load_balancer" {
  variables {
    enable_load_balancer = true
    domain               = "api.example.com"
    secondary_region     = "europe-west4"
    min_instances        = 1
  }

  assert {
    condition = (
      local.build_substitutions._SECONDARY_REGION == "europe-west4"
      && local.build_substitutions._SERVICE_URL == "https://api.example.com"
      && length(nonsensitive(local.build_substitutions._CANDIDATE_TOKEN)) >= 32
      && local.build_substitutions._VM_GROUP == "iris-api-server"
    )
    error_message = "behind the load balancer the candidate is reached by its header, and the VMs are rolled"
  }
}

run "tells_builds_that_there_is_a_vm_only" {
  variables {
    enable_public_ip = true
    allowed_http_ips = ["203.0.113.7/32"]
    domain           = "vm.example.com"
  }

  assert {
    condition = (
      contains(split(",", nonsensitive(output.build_substitutions)), "_SERVICE=")
      && local.build_substitutions._VM_GROUP == "iris-api-server"
    )
    error_message = "without Cloud Run there is nothing to deploy there"
  }
}

run "makes_nothing_that_was_not_asked_for" {
  assert {
    condition = (
      length(module.monitoring) + length(module.mlflow) + length(module.gke) + length(module.prediction_sink) + length(module.budget) == 0
      && nonsensitive(module.redis.uri == null)
    )
    error_message = "each option costs money, so each is off unless it is asked for"
  }
}

run "makes_every_option_that_was_asked_for" {
  variables {
    billing_account          = "012345-6789AB-CDEF01"
    budget_amount            = 50
    enable_gke               = true
    enable_mlflow_server     = true
    enable_monitoring_alerts = true
    enable_prediction_sink   = true
    enable_redis             = true
    mlflow_image             = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/mlflow@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    mlflow_users             = ["ada@example.com"]
    notification_channels    = ["email:admin@example.com"]
    retraining_schedule      = "0 3 * * 1"
  }

  assert {
    condition     = local.secret_environment == tomap({ RATELIMIT_STORAGE_URI = "iris-api-limits-uri" })
    error_message = "the service gets the Redis's address as a secret"
  }

  assert {
    condition = (
      output.mlflow_url == "https://mlflow-123456789012.europe-west1.run.app"
      && strcontains(output.gke_credentials_command, "--dns-endpoint")
      && output.prediction_dataset == "iris-test.predictions"
      && output.monitoring_enabled
    )
    error_message = "each option says how it is reached"
  }

  assert {
    condition     = length(module.budget) == 1 && module.monitoring[0].email_channel_ids == ["projects/iris-test/notificationChannels/1"]
    error_message = "the budget tells the same people as the alerts"
  }

  assert {
    condition     = local.watched_endpoint == { host = "iris-api-123456789012.europe-west1.run.app", port = 443, tls = true }
    error_message = "the uptime check calls the address that clients call"
  }
}

run "watches_a_public_vm_only_where_it_answers_everybody" {
  variables {
    enable_monitoring_alerts = true
    enable_public_ip         = true
    allowed_http_ips         = ["203.0.113.7/32"]
    domain                   = "vm.example.com"
  }

  assert {
    condition     = local.watched_endpoint == null
    error_message = "Google's checkers are not among the addresses that may call"
  }
}

run "schedules_nothing_without_a_repository" {
  command = plan

  variables {
    repository          = ""
    retraining_schedule = "0 3 * * 1"
  }

  expect_failures = [var.retraining_schedule]
}
