# The tracking server: nobody gets in past IAP, the database has no public address and no password.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id          = "iris-test"
  project_number      = "123456789012"
  region              = "europe-west1"
  image               = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/mlflow@sha256:aaaa"
  users               = ["ada@example.com", "group:ml@example.com"]
  artifacts_uri       = "gs://iris-test-ml-models/mlruns/"
  network_id          = "network"
  subnetwork_id       = "subnetwork"
  deletion_protection = true
}

run "lets_in_whom_iap_knows" {
  module {
    source = "./modules/mlflow"
  }

  assert {
    condition     = google_cloud_run_v2_service.default.iap_enabled && google_cloud_run_v2_service.default.invoker_iam_disabled != true
    error_message = "IAP is on, and Cloud Run asks for an identity too"
  }

  assert {
    condition     = google_cloud_run_v2_service_iam_member.iap.member == "serviceAccount:service-123456789012@gcp-sa-iap.iam.gserviceaccount.com"
    error_message = "IAP, and nobody else, invokes the service"
  }

  assert {
    condition     = keys(google_iap_web_cloud_run_service_iam_member.users) == ["group:ml@example.com", "user:ada@example.com"]
    error_message = "the users pass IAP, and nobody else"
  }

  assert {
    condition = one([
      for variable in google_cloud_run_v2_service.default.template[0].containers[0].env : variable.value if variable.name == "MLFLOW_SERVER_ALLOWED_HOSTS"
    ]) == trimprefix(output.tracking_uri, "https://")
    error_message = "MLflow answers the host that its address names"
  }
}

run "keeps_the_database_private_and_backed_up" {
  module {
    source = "./modules/mlflow"
  }

  assert {
    condition = (
      !google_sql_database_instance.default.settings[0].ip_configuration[0].ipv4_enabled
      && google_sql_database_instance.default.settings[0].ip_configuration[0].private_network == "network"
      && length(google_sql_database_instance.default.settings[0].ip_configuration[0].authorized_networks) == 0
    )
    error_message = "the database has a private address only"
  }

  assert {
    condition = (
      google_sql_user.server.type == "CLOUD_IAM_SERVICE_ACCOUNT"
      && google_sql_user.server.password == null
      && contains(google_cloud_run_v2_service.default.template[0].containers[1].args, "--auto-iam-authn")
      && contains(google_cloud_run_v2_service.default.template[0].containers[1].args, "--private-ip")
    )
    error_message = "the server signs in as its service account, over the private address"
  }

  assert {
    condition = (
      google_sql_database_instance.default.settings[0].backup_configuration[0].enabled
      && google_sql_database_instance.default.settings[0].backup_configuration[0].point_in_time_recovery_enabled
      && google_sql_database_instance.default.deletion_protection
      && google_sql_database_instance.default.settings[0].deletion_protection_enabled
      && google_cloud_run_v2_service.default.deletion_protection
    )
    error_message = "there are backups, and deletion protection for Terraform and for the console"
  }
}

run "writes_artifacts_only_where_artifacts_are" {
  module {
    source = "./modules/mlflow"
  }

  assert {
    condition = (
      google_storage_bucket_iam_member.artifacts.bucket == "iris-test-ml-models"
      && strcontains(google_storage_bucket_iam_member.artifacts.condition[0].expression, "objects/mlruns/")
      && contains(google_cloud_run_v2_service.default.template[0].containers[0].args, "--artifacts-destination=gs://iris-test-ml-models/mlruns/")
    )
    error_message = "the server writes under mlruns/ of the bucket, and can't touch the models that serve"
  }
}
