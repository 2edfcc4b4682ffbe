# The load balancer: what stands behind Cloud Armor, where each position of the switch sends requests, and that no
# apply undoes a failover.

mock_provider "google" {
  source = "./tests/mocks"
}

override_resource { # two regions with the same mocked id would be one endpoint group
  target = google_compute_region_network_endpoint_group.cloud_run["secondary"]
  values = { id = "endpoints-secondary" }
}

override_resource {
  target = google_compute_backend_service.cloud_run
  values = { id = "backend-cloud-run" }
}

override_resource {
  target = google_compute_backend_service.vm
  values = { id = "backend-vm" }
}

override_resource {
  target = google_compute_backend_service.candidate
  values = { id = "backend-candidate" }
}

override_resource {
  target = google_compute_security_policy.default
  values = { id = "armor" }
}

variables {
  project_id  = "iris-test"
  name        = "iris-api"
  domain      = "api.example.com"
  cloud_run   = { service = "iris-api", regions = { primary = "europe-west1" } }
  vm          = { instance_group = "group", port_name = "http" }
  rate_limits = { auth_failures = 10, health = 30, model_info = 20, predict = 10 }

  timeout_seconds = 60
}

run "stands_behind_cloud_armor" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition = alltrue([
      for backend in [google_compute_backend_service.cloud_run, google_compute_backend_service.candidate, google_compute_backend_service.vm] :
      backend.security_policy == "armor"
    ])
    error_message = "each backend, the fallback and the candidate too, has the Cloud Armor policy"
  }

  assert {
    condition = alltrue([
      for backend in [google_compute_backend_service.cloud_run, google_compute_backend_service.candidate, google_compute_backend_service.vm] :
      backend.load_balancing_scheme == "EXTERNAL_MANAGED" && backend.log_config[0].enable
    ])
    error_message = "each backend is of the global external load balancer, and its requests are logged"
  }

  assert {
    condition     = google_compute_security_policy.default[0].advanced_options_config[0].json_parsing == "STANDARD" && google_compute_security_policy.default[0].adaptive_protection_config[0].layer_7_ddos_defense_config[0].enable
    error_message = "JSON bodies are parsed, and adaptive protection is on"
  }
}

run "refuses_metrics_before_anything_else" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition = (
      one([for rule in google_compute_security_policy.default[0].rule : rule if strcontains(try(rule.match[0].expr[0].expression, ""), "/metrics")]).priority ==
      min([for rule in google_compute_security_policy.default[0].rule : rule.priority]...)
    )
    error_message = "/metrics is refused first"
  }

  assert {
    condition     = one([for rule in google_compute_security_policy.default[0].rule : rule.action if strcontains(try(rule.match[0].expr[0].expression, ""), "/metrics")]) == "deny(404)"
    error_message = "/metrics looks like a page that is not there, as in the service itself"
  }
}

run "looks_for_attacks_before_it_counts" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition = (
      max([for rule in google_compute_security_policy.default[0].rule : rule.priority if strcontains(try(rule.match[0].expr[0].expression, ""), "evaluatePreconfiguredWaf")]...) <
      min([for rule in google_compute_security_policy.default[0].rule : rule.priority if length(rule.rate_limit_options) > 0]...)
    )
    error_message = "a request that a rate rule lets through is decided, so the WAF rules come before"
  }

  assert {
    condition     = alltrue([for rule in google_compute_security_policy.default[0].rule : !rule.preview if strcontains(try(rule.match[0].expr[0].expression, ""), "-v422-stable")])
    error_message = "the WAF rules are enforced by default"
  }

  assert {
    condition     = length([for rule in google_compute_security_policy.default[0].rule : rule if strcontains(try(rule.match[0].expr[0].expression, ""), "-v422-stable") && rule.action == "deny(403)"]) == 8
    error_message = "eight rule sets of CRS 4.22 are refused"
  }
}

run "only_logs_attacks_in_preview" {
  module {
    source = "./modules/edge"
  }

  variables {
    waf_preview = true
  }

  assert {
    condition     = alltrue([for rule in google_compute_security_policy.default[0].rule : rule.preview if strcontains(try(rule.match[0].expr[0].expression, ""), "-v422-stable")])
    error_message = "waf_preview turns all of CRS 4.22 into log lines"
  }

  assert {
    condition     = one([for rule in google_compute_security_policy.default[0].rule : coalesce(rule.preview, false) if try(rule.match[0].expr[0].expression, "") == "evaluatePreconfiguredWaf('cve-canary')"]) == false
    error_message = "the rule against Log4Shell stays enforced"
  }
}

run "counts_each_request_once_with_the_service_s_limits" {
  module {
    source = "./modules/edge"
  }

  variables {
    rate_limits = { auth_failures = 7, health = 300, model_info = 50, predict = 1000 }
  }

  assert {
    condition     = length([for rule in google_compute_security_policy.default[0].rule : rule if length(rule.rate_limit_options) > 0]) == 3
    error_message = "one rule for the failover's probes, one for requests with a key, one for those without"
  }

  assert {
    condition     = one([for rule in google_compute_security_policy.default[0].rule : rule.rate_limit_options[0] if rule.priority == 2000]).rate_limit_threshold[0].count == 1000 + 50 + 300
    error_message = "a key may do at the edge what the service lets it do: predict, model_info and health together"
  }

  assert {
    condition = alltrue([
      for limit in [one([for rule in google_compute_security_policy.default[0].rule : rule.rate_limit_options[0] if rule.priority == 2000])] :
      limit.enforce_on_key == "HTTP_HEADER" && limit.enforce_on_key_name == "X-API-Key" && limit.conform_action == "allow" && limit.exceed_action == "deny(429)" && limit.rate_limit_threshold[0].interval_sec == 60
    ])
    error_message = "requests with a key are counted by the key, in the service's minutes"
  }

  assert {
    condition = alltrue([
      for limit in [one([for rule in google_compute_security_policy.default[0].rule : rule.rate_limit_options[0] if rule.action == "rate_based_ban"])] :
      limit.enforce_on_key == "IP" && limit.rate_limit_threshold[0].count == 300 + 7 + 60 && limit.ban_threshold[0].count == 2 * (300 + 7 + 60) && limit.rate_limit_threshold[0].interval_sec == 60
    ])
    error_message = "requests without a key are counted by address: health, refused keys, and pages without a limit"
  }

  assert {
    condition     = one([for rule in google_compute_security_policy.default[0].rule : rule.match[0].expr[0].expression if rule.priority == 2000]) == "has(request.headers['x-api-key']) && size(request.headers['x-api-key']) >= 32"
    error_message = "the throttle is for requests that carry what can be a key"
  }

  assert {
    condition     = strcontains(one([for rule in google_compute_security_policy.default[0].rule : rule.match[0].expr[0].expression if rule.priority == 1990]), "endsWith('-${output.probe_token}')")
    error_message = "probes are known by their token, and not counted among the requests without a key"
  }

  assert {
    condition     = one([for rule in google_compute_security_policy.default[0].rule : rule.match[0].config[0].src_ip_ranges if rule.action == "rate_based_ban"]) == toset(["*"])
    error_message = "what has no key is counted, wherever it comes from"
  }

  assert {
    condition     = one([for rule in google_compute_security_policy.default[0].rule : rule.action if rule.priority == 2147483647]) == "deny(403)"
    error_message = "nothing passes by the rate rules"
  }
}

run "follows_the_failover_when_auto" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition     = { for service in google_compute_url_map.default["primary"].path_matcher[0].default_route_action[0].weighted_backend_services : service.backend_service => service.weight } == { "backend-cloud-run" = 100 }
    error_message = "the primary map sends everything to Cloud Run"
  }

  assert {
    condition     = { for service in google_compute_url_map.default["fallback"].path_matcher[0].default_route_action[0].weighted_backend_services : service.backend_service => service.weight } == { "backend-vm" = 100 }
    error_message = "the fallback map sends everything to the VM"
  }
}

run "shares_requests_by_percent" {
  module {
    source = "./modules/edge"
  }

  variables {
    vm_percent = 5
  }

  assert {
    condition     = { for service in google_compute_url_map.default["primary"].path_matcher[0].default_route_action[0].weighted_backend_services : service.backend_service => service.weight } == { "backend-cloud-run" = 95, "backend-vm" = 5 }
    error_message = "vm_percent of the requests go to the VM while Cloud Run is active"
  }

  assert {
    condition     = { for service in google_compute_url_map.default["fallback"].path_matcher[0].default_route_action[0].weighted_backend_services : service.backend_service => service.weight } == { "backend-vm" = 100 }
    error_message = "after a failover nothing goes to Cloud Run"
  }
}

run "moves_everything_by_percent" {
  module {
    source = "./modules/edge"
  }

  variables {
    vm_percent = 100
  }

  assert {
    condition     = { for service in google_compute_url_map.default["primary"].path_matcher[0].default_route_action[0].weighted_backend_services : service.backend_service => service.weight } == { "backend-vm" = 100 }
    error_message = "the last step of a gradual move leaves nothing to Cloud Run"
  }
}

run "holds_the_vm_wherever_the_proxy_points" {
  module {
    source = "./modules/edge"
  }

  variables {
    active_backend = "vm"
  }

  assert {
    condition = alltrue([
      for map in google_compute_url_map.default :
      { for service in map.path_matcher[0].default_route_action[0].weighted_backend_services : service.backend_service => service.weight } == { "backend-vm" = 100 }
    ])
    error_message = "both maps send everything to the VM"
  }
}

run "holds_cloud_run_wherever_the_proxy_points" {
  module {
    source = "./modules/edge"
  }

  variables {
    active_backend = "cloud_run"
    vm_percent     = 10
  }

  assert {
    condition = alltrue([
      for map in google_compute_url_map.default :
      { for service in map.path_matcher[0].default_route_action[0].weighted_backend_services : service.backend_service => service.weight } == { "backend-cloud-run" = 90, "backend-vm" = 10 }
    ])
    error_message = "both maps send everything to Cloud Run, but for vm_percent"
  }
}

run "reaches_each_backend_by_name_in_every_map" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition = alltrue([
      for map in google_compute_url_map.default : {
        for rule in map.path_matcher[0].route_rules :
        "${rule.match_rules[0].header_matches[0].header_name}: ${rule.match_rules[0].header_matches[0].exact_match}" => rule.service
        } == {
        "X-Candidate: ${output.candidate_token}"     = "backend-candidate"
        "X-Probe-Backend: run-${output.probe_token}" = "backend-cloud-run"
        "X-Probe-Backend: vm-${output.probe_token}"  = "backend-vm"
      }
    ])
    error_message = "probes and smoke tests reach their backend, whichever map is live"
  }

  assert {
    condition     = alltrue([for map in google_compute_url_map.default : [for rule in map.path_matcher[0].route_rules : rule.priority] == [1, 2, 3]])
    error_message = "rules are listed by rising priority, as the API asks"
  }

  assert {
    condition     = length(output.probe_token) == 36 && length(output.candidate_token) == 36 && output.probe_token != output.candidate_token
    error_message = "the tokens are random, each its own"
  }

  assert {
    condition     = google_compute_region_network_endpoint_group.candidate.cloud_run[0].tag == "candidate"
    error_message = "the candidate's endpoints are those of the tag that Cloud Build deploys with"
  }
}

run "serves_https_and_redirects_http" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition     = output.url == "https://api.example.com" && google_compute_global_forwarding_rule.https[0].port_range == "443"
    error_message = "with a domain the service is at https://domain"
  }

  assert {
    condition     = google_compute_url_map.redirect[0].default_url_redirect[0].https_redirect && google_compute_global_forwarding_rule.http.target == google_compute_target_http_proxy.redirect[0].id
    error_message = "port 80 only redirects"
  }

  assert {
    condition     = google_compute_ssl_policy.default[0].min_tls_version == "TLS_1_2" && google_compute_target_https_proxy.default[0].ssl_policy == google_compute_ssl_policy.default[0].id
    error_message = "TLS 1.2 at least"
  }

  assert {
    condition     = length(google_compute_managed_ssl_certificate.default) == 1 && length(google_certificate_manager_certificate.default) == 0
    error_message = "without a zone the certificate is a managed one"
  }

  assert {
    condition     = google_compute_health_check.vm.http_health_check[0].request_path == "/health/ready" && google_compute_backend_service.vm.timeout_sec == 60
    error_message = "the VM is asked for its model, and has as much time as Cloud Run"
  }
}

run "proves_the_domain_by_dns_when_the_zone_is_here" {
  module {
    source = "./modules/edge"
  }

  variables {
    dns_managed_zone = "example"
  }

  assert {
    condition     = google_dns_record_set.default[0].name == "api.example.com." && google_dns_record_set.default[0].rrdatas == tolist([output.ip_address])
    error_message = "the domain points at the load balancer"
  }

  assert {
    condition     = length(google_compute_managed_ssl_certificate.default) == 0 && startswith(google_compute_target_https_proxy.default[0].certificate_map, "//certificatemanager.googleapis.com/projects/")
    error_message = "the certificate is Certificate Manager's"
  }
}

run "serves_http_without_a_domain" {
  module {
    source = "./modules/edge"
  }

  variables {
    domain = ""
  }

  assert {
    condition     = startswith(output.url, "http://") && length(google_compute_global_forwarding_rule.https) == 0 && google_compute_global_forwarding_rule.http.target == google_compute_target_http_proxy.trial[0].id
    error_message = "a trial is at http://address"
  }

  assert {
    condition     = output.proxy_id == google_compute_target_http_proxy.trial[0].id
    error_message = "its proxy is what a failover switches"
  }
}

run "turns_from_a_sick_region_to_the_other" {
  module {
    source = "./modules/edge"
  }

  variables {
    cloud_run = { service = "iris-api", regions = { primary = "europe-west1", secondary = "europe-west4" } }
  }

  assert {
    condition     = toset([for group in google_compute_region_network_endpoint_group.cloud_run : group.region]) == toset(["europe-west1", "europe-west4"])
    error_message = "both regions are endpoints"
  }

  assert {
    condition     = length(google_compute_backend_service.cloud_run.backend) == 2 && google_compute_backend_service.cloud_run.outlier_detection[0].enforcing_consecutive_gateway_failure == 100
    error_message = "a region that answers 5xx is left out for a while"
  }

  assert {
    condition     = alltrue([for group in google_compute_region_network_endpoint_group.cloud_run : group.cloud_run[0].tag == null])
    error_message = "an endpoint group with a tag would know no service health"
  }
}

run "has_no_policy_when_cloud_armor_is_off" {
  module {
    source = "./modules/edge"
  }

  variables {
    enable_cloud_armor = false
  }

  assert {
    condition     = length(google_compute_security_policy.default) == 0 && output.security_policy_name == null
    error_message = "enable_cloud_armor = false makes no policy"
  }
}

run "refuses_a_position_that_is_none" {
  command = plan

  module {
    source = "./modules/edge"
  }

  variables {
    active_backend = "both"
  }

  expect_failures = [var.active_backend]
}

run "refuses_a_share_over_a_hundred" {
  command = plan

  module {
    source = "./modules/edge"
  }

  variables {
    vm_percent = 101
  }

  expect_failures = [var.vm_percent]
}
