# Defaults where a mock's random text would not do: ids that other resources take apart, and what data
# sources answer. `override_during = plan` (in the tests' mock_provider) makes them known in plans.

mock_data "google_project" {
  defaults = {
    number     = "123456789012"
    project_id = "iris-test"
  }
}

mock_data "google_storage_project_service_account" {
  defaults = {
    email_address = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
  }
}

mock_resource "google_artifact_registry_repository" {
  defaults = {
    id   = "projects/iris-test/locations/europe-west1/repositories/mlops-repo"
    name = "mlops-repo"
  }
}

mock_resource "google_compute_network" {
  defaults = {
    id        = "projects/iris-test/global/networks/mlops-network"
    self_link = "https://www.googleapis.com/compute/v1/projects/iris-test/global/networks/mlops-network"
  }
}

mock_resource "google_compute_subnetwork" {
  defaults = {
    id        = "projects/iris-test/regions/europe-west1/subnetworks/mlops-network-subnet"
    self_link = "https://www.googleapis.com/compute/v1/projects/iris-test/regions/europe-west1/subnetworks/mlops-network-subnet"
  }
}

mock_resource "google_kms_crypto_key" {
  defaults = {
    id = "projects/iris-test/locations/europe-west1/keyRings/mlops/cryptoKeys/test"
  }
}

mock_resource "google_kms_key_ring" {
  defaults = {
    id = "projects/iris-test/locations/europe-west1/keyRings/mlops"
  }
}

mock_resource "google_secret_manager_secret" {
  defaults = {
    id   = "projects/iris-test/secrets/mlops-api-key"
    name = "projects/123456789012/secrets/mlops-api-key"
  }
}

mock_resource "google_service_account" {
  defaults = {
    email  = "mock-sa@iris-test.iam.gserviceaccount.com"
    id     = "projects/iris-test/serviceAccounts/mock-sa@iris-test.iam.gserviceaccount.com"
    member = "serviceAccount:mock-sa@iris-test.iam.gserviceaccount.com"
    name   = "projects/iris-test/serviceAccounts/mock-sa@iris-test.iam.gserviceaccount.com"
  }
}

mock_resource "google_storage_bucket" {
  defaults = {
    url = "gs://mock-bucket"
  }
}
