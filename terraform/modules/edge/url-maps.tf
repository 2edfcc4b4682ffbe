# The switch between Cloud Run and the VM (docs/failover.md). Two maps, and a proxy that points at one of them:
#
#   position    primary map says           fallback map says          who moves the proxy
#   auto        Cloud Run, vm_percent      VM                         the failover function
#   cloud_run   Cloud Run, vm_percent      Cloud Run, vm_percent      nobody: both maps say the same
#   vm          VM                         VM                         nobody: both maps say the same
#
# A position is written into the maps, which are Terraform's alone; the proxy's pointer is the failover function's alone.
# So no apply undoes a failover, and a position that a person chose holds wherever the pointer was left.

locals {
  backend_ids = {
    cloud_run = google_compute_backend_service.cloud_run.id
    vm        = google_compute_backend_service.vm.id
  }

  cloud_run_first = { for backend, percent in { cloud_run = 100 - var.vm_percent, vm = var.vm_percent } : backend => percent if percent > 0 }
  vm_only         = { vm = 100 }

  maps = {
    auto      = { primary = local.cloud_run_first, fallback = local.vm_only }
    cloud_run = { primary = local.cloud_run_first, fallback = local.cloud_run_first }
    vm        = { primary = local.vm_only, fallback = local.vm_only }
  }[var.active_backend]

  # Requests that name their backend, whichever map is live: the failover's probes, and Cloud Build's smoke test of a
  # candidate. The tokens keep strangers from choosing; they open nothing, Cloud Armor and the API key stand behind them.
  named_backends = {
    candidate = { header = "X-Candidate", value = local.candidate_token, backend = google_compute_backend_service.candidate.id }
    run       = { header = "X-Probe-Backend", value = "run-${local.probe_token}", backend = local.backend_ids.cloud_run }
    vm        = { header = "X-Probe-Backend", value = "vm-${local.probe_token}", backend = local.backend_ids.vm }
  }

  candidate_token = terraform_data.tokens["candidate"].output
  probe_token     = terraform_data.tokens["probe"].output
}

# Drawn once; uuid() draws anew at each plan.
resource "terraform_data" "tokens" {
  for_each = toset(["candidate", "probe"])

  input = uuid()

  lifecycle {
    ignore_changes = [input]
  }
}

resource "google_compute_url_map" "default" {
  for_each = local.maps

  project         = var.project_id
  name            = "${var.name}-${each.key}"
  default_service = local.backend_ids[keys(each.value)[0]] # for no host: the matcher below takes all

  host_rule {
    hosts        = ["*"]
    path_matcher = "service"
  }

  path_matcher {
    name = "service"

    default_route_action {
      dynamic "weighted_backend_services" {
        for_each = each.value
        content {
          backend_service = local.backend_ids[weighted_backend_services.key]
          weight          = weighted_backend_services.value
        }
      }
    }

    dynamic "route_rules" {
      for_each = local.named_backends
      content {
        priority = 1 + index(keys(local.named_backends), route_rules.key)
        service  = route_rules.value.backend

        match_rules {
          prefix_match = "/"

          header_matches {
            header_name = route_rules.value.header
            exact_match = route_rules.value.value
          }
        }
      }
    }
  }
}

resource "google_compute_url_map" "redirect" {
  count = local.tls ? 1 : 0

  project = var.project_id
  name    = "${var.name}-redirect"

  default_url_redirect {
    https_redirect         = true
    redirect_response_code = "MOVED_PERMANENTLY_DEFAULT"
    strip_query            = false
  }
}
