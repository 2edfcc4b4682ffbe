# Said at each plan and apply, loudly, without stopping a trial.

check "edge_has_tls" {
  assert {
    condition     = !local.edge_enabled || var.domain != ""
    error_message = "The load balancer answers plain HTTP: API keys and rows cross the network readable. Good for a trial; for anything else set domain."
  }
}

check "public_vm_has_tls" {
  assert {
    condition     = !(local.vm_enabled && var.enable_public_ip) || var.domain != ""
    error_message = "The VM answers plain HTTP: API keys and rows cross the network readable. Good for a trial; for anything else set domain."
  }
}
