# The controllers that turn the load balancer: what they know, and how little they may.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id      = "iris-test"
  name            = "fail-over"
  region          = "europe-west4"
  bucket          = "iris-test-failover"
  settings_object = "failover/settings.env"
  log_bucket      = "iris-test-logs"
  source_archive  = { bucket = "iris-test-builds", name = "functions/source.zip" }
  controller_role = "projects/iris-test/roles/mlopsFailover"
  builder_id      = "projects/iris-test/serviceAccounts/mlops-builder-sa@iris-test.iam.gserviceaccount.com"
  function_email  = "mlops-functions-sa@iris-test.iam.gserviceaccount.com"
  vm_email        = "mlops-vm-sa@iris-test.iam.gserviceaccount.com"
  vm_watchdog     = true
  active_backend  = "auto"
  failback        = "manual"
  url             = "https://api.example.com"
  probe_token     = "token"
  proxy_id        = "projects/iris-test/global/targetHttpsProxies/iris-api"
  url_map_ids     = { primary = "projects/iris-test/global/urlMaps/iris-api-primary", fallback = "projects/iris-test/global/urlMaps/iris-api-fallback" }
  vm_backend_id   = "projects/iris-test/global/backendServices/iris-api-vm"
}

run "probes_every_minute_from_another_region" {
  module {
    source = "./modules/failover"
  }

  assert {
    condition     = google_cloud_scheduler_job.default.schedule == "* * * * *" && google_cloud_scheduler_job.default.pubsub_target[0].topic_name == google_pubsub_topic.default.id
    error_message = "the schedule wakes the function through the topic"
  }

  assert {
    condition = alltrue([
      for place in [google_cloud_scheduler_job.default.region, google_cloudfunctions2_function.default.location, google_storage_bucket.default.location, google_artifact_registry_repository.default.location] :
      place == "europe-west4"
    ])
    error_message = "nothing of it lies in the service's region"
  }

  assert {
    condition = alltrue([
      for service in google_cloudfunctions2_function.default.service_config :
      service.max_instance_count == 1 && service.max_instance_request_concurrency == 1 && service.ingress_settings == "ALLOW_INTERNAL_ONLY" && service.timeout_seconds == 180
    ])
    error_message = "one round at a time, called by nobody from outside"
  }

  assert {
    condition     = google_cloudfunctions2_function.default.build_config[0].entry_point == "fail_over" && google_cloudfunctions2_function.default.event_trigger[0].retry_policy == "RETRY_POLICY_DO_NOT_RETRY"
    error_message = "the next minute is the retry"
  }
}

run "tells_function_and_vm_the_same" {
  module {
    source = "./modules/failover"
  }

  assert {
    condition = google_cloudfunctions2_function.default.service_config[0].environment_variables == tomap({
      FAILOVER_ACTIVE_BACKEND   = "auto"
      FAILOVER_FAILBACK         = "manual"
      FAILOVER_FALLBACK_URL_MAP = "projects/iris-test/global/urlMaps/iris-api-fallback"
      FAILOVER_PRIMARY_URL_MAP  = "projects/iris-test/global/urlMaps/iris-api-primary"
      FAILOVER_PROBE_TOKEN      = "token"
      FAILOVER_PROXY            = "projects/iris-test/global/targetHttpsProxies/iris-api"
      FAILOVER_STATE_URI        = "gs://iris-test-failover/failover/state.json"
      FAILOVER_URL              = "https://api.example.com"
      FAILOVER_VM_BACKEND       = "projects/iris-test/global/backendServices/iris-api-vm"
      GOOGLE_CLOUD_PROJECT      = "iris-test"
    })
    error_message = "the function has the settings that functions/settings.py declares"
  }

  assert {
    condition = alltrue([
      for name, value in google_cloudfunctions2_function.default.service_config[0].environment_variables :
      contains(split("\n", google_storage_bucket_object.settings.content), "${name}=${value}")
    ])
    error_message = "the VM's file says the same"
  }
}

run "stands_down_when_a_person_chose" {
  module {
    source = "./modules/failover"
  }

  variables {
    active_backend = "vm"
  }

  assert {
    condition     = google_cloudfunctions2_function.default.service_config[0].environment_variables["FAILOVER_ACTIVE_BACKEND"] == "vm" && strcontains(google_storage_bucket_object.settings.content, "FAILOVER_ACTIVE_BACKEND=vm\n")
    error_message = "function and VM know of the position"
  }
}

run "may_turn_the_proxy_and_nothing_else" {
  module {
    source = "./modules/failover"
  }

  assert {
    condition     = alltrue([for binding in google_project_iam_member.controller : binding.role == var.controller_role])
    error_message = "on the project they have the role that points the proxy at one of the maps, and no other"
  }

  assert {
    condition     = toset([for binding in google_project_iam_member.controller : binding.member]) == toset(["serviceAccount:mlops-functions-sa@iris-test.iam.gserviceaccount.com", "serviceAccount:mlops-vm-sa@iris-test.iam.gserviceaccount.com"])
    error_message = "function and VM are the controllers"
  }

  assert {
    condition     = alltrue([for binding in google_storage_bucket_iam_member.state : strcontains(binding.condition[0].expression, "objects/failover/state.json\"")])
    error_message = "of the bucket they write the state alone"
  }

  assert {
    condition     = alltrue([for name in ["function", "vm"] : google_storage_bucket_iam_member.read[name].role == "roles/storage.objectViewer" && length(google_storage_bucket_iam_member.read[name].condition) == 0])
    error_message = "both may list the bucket: without that, a state that is not there yet is forbidden instead of missing"
  }

  assert {
    condition     = google_storage_bucket.default.public_access_prevention == "enforced" && google_storage_bucket.default.uniform_bucket_level_access && google_storage_bucket.default.versioning[0].enabled
    error_message = "the bucket is private and versioned"
  }
}

run "leaves_the_vm_out_when_it_does_not_watch" {
  module {
    source = "./modules/failover"
  }

  variables {
    vm_watchdog = false
  }

  assert {
    condition     = length(google_project_iam_member.controller) == 1 && length(google_storage_bucket_iam_member.state) == 1 && length(google_storage_bucket_iam_member.read) == 1
    error_message = "a VM that does not watch may turn nothing"
  }
}
