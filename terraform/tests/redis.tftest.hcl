# The limits' storage: private, with a password and TLS, and its address a secret.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id          = "iris-test"
  region              = "europe-west1"
  name                = "iris-api-limits"
  network_id          = "network"
  deletion_protection = false
  enabled             = true
  accessors           = { runtime = "serviceAccount:mlops-api-sa@iris-test.iam.gserviceaccount.com" }
}

run "asks_for_a_password_over_tls" {
  module {
    source = "./modules/redis"
  }

  assert {
    condition     = google_redis_instance.default[0].auth_enabled && google_redis_instance.default[0].transit_encryption_mode == "SERVER_AUTHENTICATION"
    error_message = "no client gets in without the password, and it crosses the network encrypted"
  }

  assert {
    condition     = google_redis_instance.default[0].authorized_network == "network"
    error_message = "the instance is reached from our network only"
  }
}

run "keeps_the_address_in_a_secret_for_those_who_need_it" {
  module {
    source = "./modules/redis"
  }

  assert {
    condition = nonsensitive(google_secret_manager_secret_version.uri[0].secret_data) == join("", [
      "rediss://:mock-password@10.0.0.3:6378/0?ssl_cert_reqs=required&ssl_check_hostname=false&ssl_ca_data=",
      "-----BEGIN+CERTIFICATE-----%0AMIIB%2Bmock%2F%3D%0A-----END+CERTIFICATE-----%0A",
    ])
    error_message = "the URI names TLS, password and the certificate authority, escaped"
  }

  assert {
    condition     = google_secret_manager_secret_version.uri[0].deletion_policy == "ABANDON"
    error_message = "its newest version stays when the instance goes"
  }

  assert {
    condition = (
      values(google_secret_manager_secret_iam_member.accessor)[*].member == ["serviceAccount:mlops-api-sa@iris-test.iam.gserviceaccount.com"]
      && alltrue([for accessor in google_secret_manager_secret_iam_member.accessor : accessor.role == "roles/secretmanager.secretAccessor"])
    )
    error_message = "the accessors that were named read the secret, and nobody else"
  }
}

run "replicates_to_the_keys_region" {
  module {
    source = "./modules/redis"
  }

  variables {
    kms_key = "projects/iris-test/locations/europe-west1/keyRings/mlops/cryptoKeys/secrets"
  }

  assert {
    condition     = google_secret_manager_secret.uri.replication[0].user_managed[0].replicas[0].customer_managed_encryption[0].kms_key_name == var.kms_key
    error_message = "the secret is encrypted with the key"
  }
}

run "leaves_revisions_that_still_read_the_address_able_to_start" {
  module {
    source = "./modules/redis"
  }

  variables {
    enabled = false
  }

  assert {
    condition     = length(google_redis_instance.default) == 0 && output.uri == null
    error_message = "there is no instance to pay for"
  }

  assert {
    condition     = google_secret_manager_secret.uri.secret_id == output.uri_secret_id && length(google_secret_manager_secret_iam_member.accessor) == 1
    error_message = "the secret stays, and may still be read"
  }
}
