# What each alert's text ends with.

locals {
  runbook = { for name in ["Unreachable", "ObjectiveBurns", "TrafficTurned", "BuildFailed"] :
    name => "Runbook: ${var.documentation_url}docs/operations.md#${lower(name)}"
  }
}
