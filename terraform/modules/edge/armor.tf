# Each request meets these rules in the order of their priority, and ends at the first that decides: refuse /metrics,
# refuse attacks, then one rate rule. A key is counted as a key wherever it comes from; whoever sends none, or what is too
# short to be one, is counted by address.

locals {
  # CRS 4.22 at its most certain level. Left out: methodenforcement (would refuse the CORS preflight), and the rules for
  # languages that do not run here.
  waf_rules = {
    sqli             = 1000
    xss              = 1010
    lfi              = 1020
    rfi              = 1030
    rce              = 1040
    protocolattack   = 1050
    scannerdetection = 1060
    sessionfixation  = 1070
  }
}

resource "google_compute_security_policy" "default" {
  count = var.enable_cloud_armor ? 1 : 0

  project     = var.project_id
  name        = var.name
  description = "What may reach the prediction service"
  type        = "CLOUD_ARMOR"
  labels      = var.labels

  advanced_options_config {
    json_parsing = "STANDARD" # else a JSON body is one string to the rules below
    log_level    = "NORMAL"
  }

  adaptive_protection_config {
    layer_7_ddos_defense_config {
      enable          = true
      rule_visibility = "STANDARD"
    }
  }

  rule {
    description = "Metrics are for the collector beside the service"
    priority    = 100
    action      = "deny(404)"
    match {
      expr {
        expression = "request.path.lower().urlDecode().startsWith('/metrics')"
      }
    }
  }

  # Static, enforced and without options: scanners know it in this form only, and there is nothing to tune.
  rule {
    description = "Log4Shell and what follows it"
    priority    = 200
    action      = "deny(403)"
    match {
      expr {
        expression = "evaluatePreconfiguredWaf('cve-canary')"
      }
    }
  }

  dynamic "rule" {
    for_each = local.waf_rules
    content {
      description = "OWASP CRS 4.22: ${rule.key}"
      priority    = rule.value
      action      = "deny(403)"
      preview     = var.waf_preview
      match {
        expr {
          expression = "evaluatePreconfiguredWaf('${rule.key}-v422-stable', {'sensitivity': 1})"
        }
      }
    }
  }

  # The failover's probes carry no key, and all VMs have one address in common. A probe that is refused here would count as
  # an answer, so they have a rate of their own, which no number of controllers reaches.
  rule {
    description = "Probes of the failover: by the backend that they name"
    priority    = 1990
    action      = "throttle"
    match {
      expr {
        expression = "has(request.headers['x-probe-backend']) && request.headers['x-probe-backend'].endsWith('-${local.probe_token}')"
      }
    }
    rate_limit_options {
      conform_action      = "allow"
      exceed_action       = "deny(429)"
      enforce_on_key      = "HTTP_HEADER"
      enforce_on_key_name = "X-Probe-Backend"
      rate_limit_threshold {
        count        = 600
        interval_sec = 60
      }
    }
  }

  rule {
    description = "With a key: as many a minute as the service answers"
    priority    = 2000
    action      = "throttle"
    match {
      expr {
        expression = "has(request.headers['x-api-key']) && size(request.headers['x-api-key']) >= ${local.shortest_key}"
      }
    }
    rate_limit_options {
      conform_action      = "allow"
      exceed_action       = "deny(429)"
      enforce_on_key      = "HTTP_HEADER"
      enforce_on_key_name = "X-API-Key"
      rate_limit_threshold {
        count        = local.requests_per_key
        interval_sec = 60
      }
    }
  }

  rule {
    description = "Without a key: by address; twice the rate shuts it out"
    priority    = 2010
    action      = "rate_based_ban"
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
    rate_limit_options {
      conform_action   = "allow"
      exceed_action    = "deny(429)"
      enforce_on_key   = "IP"
      ban_duration_sec = 300
      rate_limit_threshold {
        count        = local.requests_per_address
        interval_sec = 60
      }
      ban_threshold {
        count        = 2 * local.requests_per_address
        interval_sec = 60
      }
    }
  }

  # The rule that the API asks for. The rate rules decide on every request before it.
  rule {
    description = "Nothing passes without a rate rule"
    priority    = 2147483647
    action      = "deny(403)"
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }

  lifecycle {
    create_before_destroy = true # when it is switched off, the backends let go of it before it goes
  }
}
