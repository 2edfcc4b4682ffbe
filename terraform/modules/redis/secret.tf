locals {
  # The certificate authority belongs to this instance alone, so trusting it, and nothing else, names the server;
  # its certificate carries no host name that could be compared with the address.
  query = join("&", [
    "ssl_cert_reqs=required",
    "ssl_check_hostname=false",
    "ssl_ca_data=${urlencode(join("\n", google_redis_instance.default.server_ca_certs[*].cert))}",
  ])
  uri = "rediss://:${google_redis_instance.default.auth_string}@${google_redis_instance.default.host}:${google_redis_instance.default.port}/0?${local.query}"
}

# The password is part of the URI, so the URI is a secret: services mount it, no plan or console shows it.
resource "google_secret_manager_secret" "uri" {
  project   = var.project_id
  secret_id = "${var.name}-uri"
  labels    = var.labels

  replication {
    user_managed {
      replicas {
        location = var.region

        dynamic "customer_managed_encryption" {
          for_each = var.kms_key[*]
          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }
}

# The password stands in the state anyway, as an attribute of the instance: a write-only argument would hide nothing.
resource "google_secret_manager_secret_version" "uri" {
  secret      = google_secret_manager_secret.uri.id
  secret_data = local.uri
}

resource "google_secret_manager_secret_iam_member" "accessor" {
  for_each = var.accessors

  project   = var.project_id
  secret_id = google_secret_manager_secret.uri.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}
