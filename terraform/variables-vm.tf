variable "allowed_http_ips" {
  description = "Address ranges that may call a public VM. Behind a load balancer leave it empty: only the load balancer's own ranges reach the VM."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for range in var.allowed_http_ips : can(cidrhost(range, 0))])
    error_message = "allowed_http_ips are ranges in CIDR form, such as 203.0.113.7/32."
  }

  validation {
    condition     = !contains(var.allowed_http_ips, "0.0.0.0/0") || var.domain != ""
    error_message = "allowed_http_ips opens the VM to everybody without TLS: set domain too, or list the addresses."
  }

  validation {
    condition     = length(var.allowed_http_ips) > 0 || !var.enable_public_ip
    error_message = "enable_public_ip needs allowed_http_ips, such as [\"203.0.113.7/32\"]: nobody could call the VM."
  }
}

variable "allowed_ssh_ips" {
  description = "Address ranges that may reach a public VM by SSH, beside IAP."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for range in var.allowed_ssh_ips : can(cidrhost(range, 0))])
    error_message = "allowed_ssh_ips are ranges in CIDR form, such as 203.0.113.7/32."
  }

  validation {
    condition     = alltrue([for range in var.allowed_ssh_ips : can(regex("/(1[6-9]|2[0-9]|3[0-2])$", range))])
    error_message = "allowed_ssh_ips may hold ranges of /16 and smaller only, never 0.0.0.0/0: use IAP (iap_tunnel_users)."
  }

  validation {
    condition     = length(var.allowed_ssh_ips) == 0 || var.enable_public_ip
    error_message = "allowed_ssh_ips does nothing without enable_public_ip: a VM without a public address is reached through IAP (iap_tunnel_users)."
  }
}

variable "disk_size_gb" {
  description = "Size of a VM's disk in GB."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.disk_size_gb >= 10 && var.disk_size_gb <= 1000
    error_message = "disk_size_gb is between 10 and 1000."
  }
}

variable "enable_public_ip" {
  description = "Whether a VM with a public address serves, instead of Cloud Run."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !(var.enable_public_ip && var.enable_load_balancer)
    error_message = "enable_public_ip and enable_load_balancer exclude each other: behind the load balancer the VM has no public address."
  }
}

variable "machine_type" {
  description = "Machine type of the VM."
  type        = string
  default     = "e2-small"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*-[a-z0-9-]+$", var.machine_type))
    error_message = "machine_type is a name such as e2-small or n2d-standard-2."
  }
}

variable "vm_image" {
  description = "Boot image of the VM: a Container-Optimized OS, for Docker and cloud-init."
  type        = string
  default     = "projects/cos-cloud/global/images/family/cos-stable"
  nullable    = false

  validation {
    condition     = strcontains(var.vm_image, "cos-")
    error_message = "vm_image has to be a Container-Optimized OS since version 2, such as projects/cos-cloud/global/images/family/cos-stable: Debian and Ubuntu images are replaced by it."
  }
}

variable "vm_name" {
  description = "Name of the VM, or of the group of VMs."
  type        = string
  default     = "iris-api-server"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,40}[a-z0-9])?$", var.vm_name))
    error_message = "vm_name has up to 42 lower case letters, digits and dashes, and starts with a letter."
  }
}
