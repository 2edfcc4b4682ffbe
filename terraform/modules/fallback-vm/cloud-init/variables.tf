variable "api_key_secret" {
  description = "Secret with the API keys: projects/P/secrets/S."
  type        = string
  nullable    = false
}

variable "container_port" {
  description = "Port that the container listens on."
  type        = number
  nullable    = false
}

variable "environment" {
  description = "The service's settings (docs/configuration.md), with API_KEY_FILE."
  type        = map(string)
  nullable    = false

  validation {
    condition     = alltrue([for value in values(var.environment) : !strcontains(value, "\n")])
    error_message = "environment has a value with a line break, which Docker's env-file can't hold."
  }
}

variable "failover_settings_object" {
  description = "BUCKET/NAME of the failover's settings; null: this machine does not watch."
  type        = string
  default     = null
}

variable "host_ports" {
  description = "Ports of the machine that reach the container."
  type        = list(number)
  nullable    = false
}

variable "image_object" {
  description = "BUCKET/NAME of the object that names the image to run."
  type        = string
  nullable    = false
}

variable "secret_environment" {
  description = "Settings that are secrets: name of the variable to projects/P/secrets/S."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "tls_domain" {
  description = "Domain that Caddy terminates TLS for on this machine; null: no Caddy."
  type        = string
  default     = null
}
