# What a Container-Optimized OS does at each boot. Needs no provider, so that a test can render and run it. The scripts
# are the same on every machine; all that differs is in the units, in vm.env and in service.env.

locals {
  folder = "/var/lib/mlops-api" # kept over restarts; nothing can be executed there, so bash reads the scripts

  # what a container of ours may do: its own work
  confined = "--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --log-opt max-size=50m --log-opt max-file=3"

  # pinned by digest, since TLS ends there
  caddy_image = "docker.io/library/caddy:2.10.2-alpine@sha256:4c6e91c6ed0e2fa03efd5b44747b625fec79bc9cd06ac5235a779726618e530d"

  # what starts each unit; the services of timers start with them
  started = concat(
    ["mlops-api.service", "mlops-api-keys.timer"],
    var.failover_settings_object == null ? [] : ["mlops-failover.timer"],
    var.tls_domain == null ? [] : ["mlops-caddy.service"],
  )
  units = toset(concat(local.started, [for unit in local.started : replace(unit, ".timer", ".service")]))

  vm = {
    API_KEY_NAME             = basename(var.environment["API_KEY_FILE"])
    API_KEY_SECRET           = var.api_key_secret
    DOCKER_CONFIG            = "/run/mlops-api/docker"
    FAILOVER_SETTINGS_OBJECT = var.failover_settings_object == null ? "" : var.failover_settings_object
    IMAGE_OBJECT             = var.image_object
    SECRET_ENVIRONMENT       = join(" ", [for name, secret in var.secret_environment : "${name}=${secret}"])
  }

  files = merge(
    { for name in fileset("${path.module}/scripts", "*") : "${local.folder}/${name}" => file("${path.module}/scripts/${name}") },
    {
      for unit in local.units : "/etc/systemd/system/${unit}" => templatefile("${path.module}/units/${unit}", {
        caddy_image = local.caddy_image
        confined    = local.confined
        folder      = local.folder
        keys_folder = dirname(var.environment["API_KEY_FILE"])
        publish     = join(" ", [for port in var.host_ports : "--publish ${port}:${var.container_port}"])
      })
    },
    {
      "${local.folder}/service.env" = join("", [for name, value in var.environment : "${name}=${value}\n"])
      "${local.folder}/vm.env"      = join("", [for name, value in local.vm : "${name}=\"${value}\"\n"])
    },
    var.tls_domain == null ? {} : {
      "${local.folder}/Caddyfile" = templatefile("${path.module}/Caddyfile", { domain = var.tls_domain, port = var.container_port })
    },
  )
}
