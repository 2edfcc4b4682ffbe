locals {
  # The certificate authority belongs to this instance alone, so trusting it, and nothing else, names the server;
  # its certificate carries no host name that could be compared with the address.
  uri = one([for instance in google_redis_instance.default : join("&", [
    "rediss://:${instance.auth_string}@${instance.host}:${instance.port}/0?ssl_cert_reqs=required",
    "ssl_check_hostname=false",
    "ssl_ca_data=${urlencode(join("\n", instance.server_ca_certs[*].cert))}",
  ])])
}

# The password is part of the URI, so the URI is a secret: services mount it, no plan or console shows it. Secret and
# newest version stay when Redis goes: the revision that serves until the next deployment still reads them, and could
# start no instance without them. It then counts for itself, as whenever Redis is away.
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
  count = var.enabled ? 1 : 0

  secret      = google_secret_manager_secret.uri.id
  secret_data = local.uri

  deletion_policy = "ABANDON"
}

resource "google_secret_manager_secret_iam_member" "accessor" {
  for_each = var.accessors

  project   = var.project_id
  secret_id = google_secret_manager_secret.uri.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}
