variable "active_backend" {
  description = "auto, cloud_run or vm (url-maps.tf)."
  type        = string
  default     = "auto"
  nullable    = false

  validation {
    condition     = contains(["auto", "cloud_run", "vm"], var.active_backend)
    error_message = "active_backend is auto, cloud_run or vm."
  }
}

variable "cloud_run" {
  description = "Name of the Cloud Run service and its regions by role (primary, secondary)."
  type        = object({ service = string, regions = map(string) })
  nullable    = false
}

variable "dns_managed_zone" {
  description = "Cloud DNS zone that the domain is in; null: its records are kept elsewhere."
  type        = string
  default     = null
}

variable "domain" {
  description = "Domain of the service; empty: plain HTTP, for trials."
  type        = string
  nullable    = false
}

variable "enable_cloud_armor" {
  description = "Whether Cloud Armor stands in front of the backends."
  type        = bool
  default     = true
  nullable    = false
}

variable "labels" {
  description = "Labels of the resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "name" {
  description = "What the load balancer's resources are named after."
  type        = string
  nullable    = false
}

variable "project_id" {
  description = "Project of the load balancer."
  type        = string
  nullable    = false
}

variable "rate_limits" {
  description = "The service's limits a minute, which the edge's are derived from."
  type        = object({ auth_failures = number, health = number, model_info = number, predict = number })
  nullable    = false
}

variable "timeout_seconds" {
  description = "Time that a request to the VM may take: as much as Cloud Run gives."
  type        = number
  nullable    = false
}

variable "vm" {
  description = "Instance group of the fallback, and the name of its port."
  type        = object({ instance_group = string, port_name = string })
  nullable    = false
}

variable "vm_percent" {
  description = "Share of requests that the VM answers while Cloud Run is active."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.vm_percent >= 0 && var.vm_percent <= 100 && floor(var.vm_percent) == var.vm_percent
    error_message = "vm_percent is a whole number from 0 to 100."
  }
}

variable "waf_preview" {
  description = "Whether the WAF rules only log what they would refuse."
  type        = bool
  default     = false
  nullable    = false
}
