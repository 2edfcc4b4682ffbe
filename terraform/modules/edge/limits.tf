# How often the edge lets one caller ask, derived from the service's own limits.

locals {
  # All that the service's limits let one key do in a minute. The service counts each route apart, and per instance unless
  # there is Redis; the edge counts once for all instances.
  requests_per_key = var.rate_limits.predict + var.rate_limits.model_info + var.rate_limits.health

  # What the service takes for a key in production. Whether it is one, only the service knows.
  shortest_key = 32

  # Without a key: the service's limits per client, and the pages that it does not limit (a visit to /docs loads a
  # handful of files). Twice as many in a minute is no person any more.
  unlimited_pages      = 60
  requests_per_address = var.rate_limits.health + var.rate_limits.auth_failures + local.unlimited_pages
}
