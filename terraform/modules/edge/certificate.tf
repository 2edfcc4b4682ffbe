# With the domain's zone in Cloud DNS: Certificate Manager, which proves the domain by a DNS record, and so has the
# certificate ready before the domain points here. Else: a managed certificate, issued once it does.

locals {
  tls          = var.domain != ""
  zone_managed = local.tls && var.dns_managed_zone != null
}

resource "google_compute_managed_ssl_certificate" "default" {
  count = local.tls && !local.zone_managed ? 1 : 0

  project = var.project_id
  name    = "${var.name}-${substr(sha256(var.domain), 0, 8)}" # another domain is another certificate, made before the old one goes

  managed {
    domains = [var.domain]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_certificate_manager_dns_authorization" "default" {
  count = local.zone_managed ? 1 : 0

  project = var.project_id
  name    = var.name
  domain  = var.domain
  labels  = var.labels
}

resource "google_dns_record_set" "authorization" {
  count = local.zone_managed ? 1 : 0

  project      = var.project_id
  managed_zone = var.dns_managed_zone
  name         = google_certificate_manager_dns_authorization.default[0].dns_resource_record[0].name
  type         = google_certificate_manager_dns_authorization.default[0].dns_resource_record[0].type
  ttl          = 300
  rrdatas      = [google_certificate_manager_dns_authorization.default[0].dns_resource_record[0].data]
}

resource "google_certificate_manager_certificate" "default" {
  count = local.zone_managed ? 1 : 0

  project = var.project_id
  name    = var.name
  labels  = var.labels

  managed {
    domains            = [var.domain]
    dns_authorizations = [google_certificate_manager_dns_authorization.default[0].id]
  }
}

resource "google_certificate_manager_certificate_map" "default" {
  count = local.zone_managed ? 1 : 0

  project = var.project_id
  name    = var.name
  labels  = var.labels

  lifecycle {
    create_before_destroy = true # when the zone is elsewhere again, the proxy lets go of it before it goes
  }
}

resource "google_certificate_manager_certificate_map_entry" "default" {
  count = local.zone_managed ? 1 : 0

  project      = var.project_id
  name         = var.name
  map          = google_certificate_manager_certificate_map.default[0].name
  certificates = [google_certificate_manager_certificate.default[0].id]
  hostname     = var.domain
  labels       = var.labels
}

resource "google_compute_ssl_policy" "default" {
  count = local.tls ? 1 : 0

  project         = var.project_id
  name            = var.name
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
}
