# Whole applies, in which ids are unknown until their resource is made, as with a real project: what may
# exist, and how often, has to be known before. (Not with encryption keys: they can't be destroyed again.)

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id = "iris-test"
}

run "foundation" {}

run "default_on_top_of_the_foundation" {
  variables {
    docker_image = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/iris-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }

  assert {
    condition     = output.service_url != null
    error_message = "The second apply brings the service."
  }
}

run "everything_on_top_of_the_default" {
  variables {
    docker_image             = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/iris-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    enable_load_balancer     = true
    domain                   = "api.example.com"
    secondary_region         = "europe-west4"
    min_instances            = 1
    functions_archive        = "tests/functions.zip"
    retraining_schedule      = "0 3 * * 1"
    repository               = "projects/iris-test/locations/europe-west1/connections/github/repositories/mlops-core"
    enable_redis             = true
    enable_mlflow_server     = true
    mlflow_image             = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/iris-api-pipeline:latest"
    enable_gke               = true
    enable_prediction_sink   = true
    enable_monitoring_alerts = true
    notification_channels    = ["email:oncall@example.com", "pubsub:alerts"]
  }

  assert {
    condition     = output.service_url == "https://api.example.com"
    error_message = "The load balancer comes in front of a service that runs."
  }
}

run "back_to_the_foundation" {
  assert {
    condition     = output.service_url == null
    error_message = "What was added goes away again."
  }
}
