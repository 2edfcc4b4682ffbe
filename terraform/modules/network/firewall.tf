# Deny by default, said and logged, then what is needed. All rules aim at the VM's service account.

locals {
  rules = merge(
    {
      load-balancer = { # its proxies and its health checks
        description = "The load balancer and its health checks reach the service"
        ports       = [tostring(var.service_port)]
        ranges      = ["35.191.0.0/16", "130.211.0.0/22"]
      }
      iap-ssh = {
        description = "SSH through IAP, to those who may"
        ports       = ["22"]
        ranges      = ["35.235.240.0/20"]
      }
    },
    length(var.http_ranges) == 0 ? {} : {
      http = {
        description = "The addresses that may call the public VM"
        ports       = var.tls ? ["443"] : ["80", tostring(var.service_port)]
        ranges      = var.http_ranges
      }
    },
    length(var.ssh_ranges) == 0 ? {} : {
      ssh = {
        description = "The addresses that may reach the public VM by SSH"
        ports       = ["22"]
        ranges      = var.ssh_ranges
      }
    },
  )
}

resource "google_compute_firewall" "deny" {
  project     = var.project_id
  name        = "${var.name}-deny-ingress"
  description = "Nothing reaches the network unless a rule allows it"
  network     = google_compute_network.default.id
  direction   = "INGRESS"
  priority    = 65534

  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_firewall" "allow" {
  for_each = local.rules

  project     = var.project_id
  name        = "${var.name}-allow-${each.key}"
  description = each.value.description
  network     = google_compute_network.default.id
  direction   = "INGRESS"
  priority    = 1000

  source_ranges           = each.value.ranges
  target_service_accounts = [var.vm_service_account]

  allow {
    protocol = "tcp"
    ports    = each.value.ports
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

# Let's Encrypt calls from addresses that it does not publish. Caddy answers here with the proof of
# the domain, and sends everybody else to HTTPS, which is open to http_ranges only.
resource "google_compute_firewall" "certificate" {
  #checkov:skip=CKV_GCP_106:Let's Encrypt has no list of addresses; what answers gives the domain's proof or a redirect
  count = var.tls ? 1 : 0

  project     = var.project_id
  name        = "${var.name}-allow-certificate"
  description = "Let's Encrypt proves the domain over port 80"
  network     = google_compute_network.default.id
  direction   = "INGRESS"
  priority    = 1000

  source_ranges           = ["0.0.0.0/0"]
  target_service_accounts = [var.vm_service_account]

  allow {
    protocol = "tcp"
    ports    = ["80"]
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}
