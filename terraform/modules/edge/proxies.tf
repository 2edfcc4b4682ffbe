resource "google_compute_target_https_proxy" "default" {
  count = local.tls ? 1 : 0

  project          = var.project_id
  name             = var.name
  url_map          = google_compute_url_map.default["primary"].id
  ssl_policy       = google_compute_ssl_policy.default[0].id
  ssl_certificates = local.zone_managed ? null : google_compute_managed_ssl_certificate.default[*].id
  certificate_map  = local.zone_managed ? "//certificatemanager.googleapis.com/${google_certificate_manager_certificate_map.default[0].id}" : null

  lifecycle {
    ignore_changes = [url_map] # the failover's to move; Terraform must not undo it (url-maps.tf)
  }

  depends_on = [google_certificate_manager_certificate_map_entry.default]
}

resource "google_compute_global_forwarding_rule" "https" {
  count = local.tls ? 1 : 0

  project               = var.project_id
  name                  = "${var.name}-https"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.default.id
  port_range            = "443"
  target                = google_compute_target_https_proxy.default[0].id
  labels                = var.labels
}

# Plain HTTP: with a domain it only redirects; without one it is all there is, for trials.
resource "google_compute_target_http_proxy" "redirect" {
  count = local.tls ? 1 : 0

  project = var.project_id
  name    = "${var.name}-redirect"
  url_map = google_compute_url_map.redirect[0].id
}

resource "google_compute_target_http_proxy" "trial" {
  count = local.tls ? 0 : 1

  project = var.project_id
  name    = "${var.name}-trial"
  url_map = google_compute_url_map.default["primary"].id

  lifecycle {
    ignore_changes = [url_map] # as above
  }
}

resource "terraform_data" "tls" {
  input = local.tls
}

resource "google_compute_global_forwarding_rule" "http" {
  project               = var.project_id
  name                  = "${var.name}-http"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.default.id
  port_range            = "80"
  target                = one(concat(google_compute_target_http_proxy.redirect[*].id, google_compute_target_http_proxy.trial[*].id))
  labels                = var.labels

  # With a domain that comes or goes the proxy does too, and one that a rule still points at can't be deleted: so the
  # rule goes first. (create_before_destroy on the proxies would reach all that they lead to, down to the VMs' group,
  # which can't be made a second time under its name when the zones of a public VM replace it.)
  lifecycle {
    replace_triggered_by = [terraform_data.tls]
  }
}
