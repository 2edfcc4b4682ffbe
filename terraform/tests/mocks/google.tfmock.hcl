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

mock_resource "google_bigquery_dataset" {
  defaults = {
    id = "projects/iris-test/datasets/predictions"
  }
}

mock_resource "google_certificate_manager_certificate" {
  defaults = {
    id = "projects/iris-test/locations/global/certificates/iris-api"
  }
}

mock_resource "google_certificate_manager_certificate_map" {
  defaults = {
    id = "projects/iris-test/locations/global/certificateMaps/iris-api"
  }
}

mock_resource "google_certificate_manager_dns_authorization" {
  defaults = {
    id                  = "projects/iris-test/locations/global/dnsAuthorizations/iris-api"
    dns_resource_record = [{ name = "_acme-challenge.api.example.com.", type = "CNAME", data = "proof" }]
  }
}

mock_resource "google_cloud_run_v2_service" {
  defaults = {
    id  = "projects/iris-test/locations/europe-west1/services/iris-api"
    uri = "https://iris-api-mock-ew.a.run.app"
  }
}

mock_resource "google_cloudbuild_trigger" {
  defaults = {
    id = "projects/iris-test/locations/europe-west1/triggers/mock"
  }
}

mock_resource "google_cloudfunctions2_function" {
  defaults = {
    id = "projects/iris-test/locations/europe-west4/functions/fail-over"
  }
}

mock_resource "google_compute_address" {
  defaults = {
    address = "203.0.113.20"
  }
}

mock_resource "google_compute_global_address" {
  defaults = {
    address = "203.0.113.10"
    id      = "projects/iris-test/global/addresses/iris-api"
  }
}

mock_resource "google_compute_health_check" {
  defaults = {
    id = "projects/iris-test/global/healthChecks/mock"
  }
}

mock_resource "google_compute_instance_template" {
  defaults = {
    id               = "projects/iris-test/global/instanceTemplates/mock"
    self_link_unique = "https://www.googleapis.com/compute/v1/projects/iris-test/global/instanceTemplates/mock?uniqueId=1"
  }
}

mock_resource "google_compute_managed_ssl_certificate" {
  defaults = {
    id = "projects/iris-test/global/sslCertificates/mock"
  }
}

mock_resource "google_compute_network" {
  defaults = {
    id        = "projects/iris-test/global/networks/mlops-network"
    self_link = "https://www.googleapis.com/compute/v1/projects/iris-test/global/networks/mlops-network"
  }
}

mock_resource "google_compute_region_instance_group_manager" {
  defaults = {
    id             = "projects/iris-test/regions/europe-west1/instanceGroupManagers/iris-api-server"
    instance_group = "https://www.googleapis.com/compute/v1/projects/iris-test/regions/europe-west1/instanceGroups/iris-api-server"
  }
}

mock_resource "google_compute_region_network_endpoint_group" {
  defaults = {
    id = "projects/iris-test/regions/europe-west1/networkEndpointGroups/mock"
  }
}

mock_resource "google_compute_security_policy" {
  defaults = {
    id = "projects/iris-test/global/securityPolicies/iris-api"
  }
}

mock_resource "google_compute_ssl_policy" {
  defaults = {
    id = "projects/iris-test/global/sslPolicies/iris-api"
  }
}

mock_resource "google_compute_subnetwork" {
  defaults = {
    id        = "projects/iris-test/regions/europe-west1/subnetworks/mlops-network-subnet"
    self_link = "https://www.googleapis.com/compute/v1/projects/iris-test/regions/europe-west1/subnetworks/mlops-network-subnet"
  }
}

mock_resource "google_compute_target_http_proxy" {
  defaults = {
    id = "projects/iris-test/global/targetHttpProxies/mock"
  }
}

mock_resource "google_compute_target_https_proxy" {
  defaults = {
    id = "projects/iris-test/global/targetHttpsProxies/mock"
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

mock_resource "google_logging_project_sink" {
  defaults = {
    writer_identity = "serviceAccount:service-123456789012@gcp-sa-logging.iam.gserviceaccount.com"
  }
}

mock_resource "google_monitoring_notification_channel" {
  defaults = {
    id   = "projects/iris-test/notificationChannels/1"
    name = "projects/iris-test/notificationChannels/1"
  }
}

mock_resource "google_monitoring_slo" {
  defaults = {
    name = "projects/123456789012/services/iris-api/serviceLevelObjectives/mock"
  }
}

mock_resource "google_monitoring_uptime_check_config" {
  defaults = {
    uptime_check_id = "iris-api-is-ready-mock"
  }
}

mock_resource "google_project_iam_custom_role" {
  defaults = {
    id   = "projects/iris-test/roles/mock"
    name = "projects/iris-test/roles/mock"
  }
}

mock_resource "google_pubsub_topic" {
  defaults = {
    id = "projects/iris-test/topics/mock"
  }
}

mock_resource "google_redis_instance" {
  defaults = {
    auth_string = "mock-password"
    host        = "10.0.0.3"
    port        = 6378
    server_ca_certs = [{
      cert             = "-----BEGIN CERTIFICATE-----\nMIIB+mock/=\n-----END CERTIFICATE-----\n"
      create_time      = ""
      expire_time      = ""
      serial_number    = ""
      sha1_fingerprint = ""
    }]
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

mock_resource "google_sql_database_instance" {
  defaults = {
    connection_name = "iris-test:europe-west1:mlflow"
  }
}

mock_resource "google_storage_bucket" {
  defaults = {
    url = "gs://mock-bucket"
  }
}

mock_resource "google_storage_bucket_object" {
  defaults = {}
}
