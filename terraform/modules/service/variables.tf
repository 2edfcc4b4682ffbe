variable "api_key_secret" {
  description = "Secret with the API keys, one a line; mounted as the file that environment's API_KEY_FILE names."
  type        = string
  nullable    = false
}

variable "behind_load_balancer" {
  description = "Whether requests come through the load balancer only."
  type        = bool
  nullable    = false
}

variable "container_port" {
  description = "Port that the container listens on."
  type        = number
  nullable    = false
}

variable "environment" {
  description = "The service's settings (docs/configuration.md)."
  type        = map(string)
  nullable    = false

  validation {
    condition     = !contains(keys(var.environment), "PORT") && contains(keys(var.environment), "API_KEY_FILE")
    error_message = "environment needs API_KEY_FILE, and may not hold PORT, which Cloud Run sets."
  }
}

variable "image" {
  description = "Image of the first revision; later ones are Cloud Build's."
  type        = string
  nullable    = false
}

variable "labels" {
  description = "Labels of the resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "max_instances" {
  description = "Most instances in each region."
  type        = number
  nullable    = false
}

variable "metrics_collector" {
  description = "Whether Managed Prometheus's collector runs beside the service; an instance is then billed for its whole life."
  type        = bool
  default     = false
  nullable    = false
}

variable "min_instances" {
  description = "Instances that are kept warm in each region."
  type        = number
  default     = 0
  nullable    = false
}

variable "name" {
  description = "Name of the service and of its container."
  type        = string
  nullable    = false
}

variable "project_id" {
  description = "Project of the service."
  type        = string
  nullable    = false
}

variable "regions" {
  description = "Regions by role: primary, and secondary for a second one."
  type        = map(string)
  nullable    = false
}

variable "secret_environment" {
  description = "Settings that are secrets: name of the variable to name of the secret."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "service_account_email" {
  description = "Service account that the service runs as."
  type        = string
  nullable    = false
}

variable "vpc" {
  description = "Network that private addresses are reached through, with its subnets by the regions' roles; null: none."
  type        = object({ network_id = string, subnetwork_ids = map(string) })
  default     = null
}
