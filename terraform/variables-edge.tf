variable "active_backend" {
  description = "What answers behind the load balancer: cloud_run, vm, or auto (Cloud Run until the failover function turns to the VM; Terraform leaves its choice alone)."
  type        = string
  default     = "auto"
  nullable    = false

  validation {
    condition     = contains(["auto", "cloud_run", "vm"], var.active_backend)
    error_message = "active_backend is auto, cloud_run or vm."
  }

  validation {
    condition     = var.active_backend == "auto" || var.enable_load_balancer
    error_message = "active_backend needs enable_load_balancer = true: without it there is nothing to switch."
  }
}

variable "dns_managed_zone" {
  description = "Cloud DNS zone that domain is in. With it the name is pointed at the load balancer, and its certificate is ready before. null: the domain's records are kept elsewhere."
  type        = string
  default     = null

  validation {
    condition     = var.dns_managed_zone == null || var.domain != "" && var.enable_load_balancer
    error_message = "dns_managed_zone needs domain and enable_load_balancer = true."
  }
}

variable "enable_cloud_armor" {
  description = "Whether Cloud Armor protects the load balancer's backends."
  type        = bool
  default     = true
  nullable    = false
}

variable "enable_load_balancer" {
  description = "Whether a load balancer stands in front of Cloud Run, with a VM as fallback. false: Cloud Run on its own run.app address."
  type        = bool
  default     = false
  nullable    = false
}

variable "failback" {
  description = "Who turns back to Cloud Run after an automatic failover: manual or automatic."
  type        = string
  default     = "manual"
  nullable    = false

  validation {
    condition     = contains(["manual", "automatic"], var.failback)
    error_message = "failback is manual or automatic."
  }
}

variable "failover_region" {
  description = "Region of the failover function, its schedule and its state: another one than region, which may be what is down."
  type        = string
  default     = "europe-west4"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.failover_region)) && (var.failover_region != var.region || !var.enable_load_balancer)
    error_message = "failover_region is another region than region, such as europe-west4."
  }
}

variable "load_balancer_name" {
  description = "What the load balancer's resources are named after."
  type        = string
  default     = "iris-api"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,40}[a-z0-9])?$", var.load_balancer_name))
    error_message = "load_balancer_name has up to 42 lower case letters, digits and dashes, and starts with a letter."
  }
}

variable "secondary_region" {
  description = "A second region of Cloud Run behind the load balancer, which takes over by itself when the first one fails. Keeps an instance warm in both."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.secondary_region == "" || can(regex("^[a-z]+-[a-z]+[0-9]+$", var.secondary_region)) && var.secondary_region != var.region
    error_message = "secondary_region is another region than region, such as europe-west4."
  }

  validation {
    condition     = var.secondary_region == "" || var.enable_load_balancer
    error_message = "secondary_region needs enable_load_balancer = true: without it nothing would send requests there."
  }

  validation {
    condition     = var.secondary_region == "" || var.min_instances > 0
    error_message = "secondary_region needs min_instances of 1 or more: a region without a running instance reports no health."
  }
}

variable "vm_percent" {
  description = "Share of requests, in percent, that the VM answers while Cloud Run is the active backend."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.vm_percent >= 0 && var.vm_percent <= 100 && floor(var.vm_percent) == var.vm_percent
    error_message = "vm_percent is a whole number from 0 to 100."
  }

  validation {
    condition     = var.vm_percent == 0 || var.enable_load_balancer
    error_message = "vm_percent needs enable_load_balancer = true, which brings the VM fallback."
  }
}

variable "vm_watchdog" {
  description = "Whether the VMs watch Cloud Run too, beside the failover function: for the day when functions and Cloud Run are down together."
  type        = bool
  default     = true
  nullable    = false
}

variable "waf_preview" {
  description = "Whether Cloud Armor's WAF rules only log what they would refuse. Try it so before enforcing new rules."
  type        = bool
  default     = false
  nullable    = false
}
