variable "deletion_protection" {
  description = "Whether databases and clusters refuse to be deleted. To destroy, set it to false and apply first."
  type        = bool
  default     = false
  nullable    = false
}

variable "iap_tunnel_users" {
  description = "Who may reach the VM by SSH through IAP: e-mail addresses, or members such as group:operators@example.com."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for user in var.iap_tunnel_users : can(regex("^(domain:[^@:\\s]+|((user|group|serviceAccount):)?[^@:\\s]+@[^@:\\s]+)[.][a-z]+$", user))])
    error_message = "iap_tunnel_users are e-mail addresses, or members such as user:, group: or serviceAccount: followed by one; never allUsers."
  }
}

variable "network_name" {
  description = "Name of the VPC; its subnets, router and firewall rules are named after it."
  type        = string
  default     = "mlops-network"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,40}[a-z0-9])?$", var.network_name))
    error_message = "network_name has up to 42 lower case letters, digits and dashes, and starts with a letter."
  }
}

variable "project_id" {
  description = "The Google Cloud project to build in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is the project's id (gcloud projects list), not its number or title: 6 to 30 lower case letters, digits and dashes."
  }
}

variable "region" {
  description = "Region of everything that has one."
  type        = string
  default     = "europe-west1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is a region such as europe-west1, not a zone."
  }
}

variable "role_suffix" {
  description = "What the ids of the custom roles end in, such as 2. After terraform destroy an id can't be used again from the 8th to the 37th day: another suffix makes other ids."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.]{0,20}$", var.role_suffix))
    error_message = "role_suffix has up to 20 letters, digits, dots and underscores, as the id of a custom role."
  }
}

variable "service_account_name" {
  description = "Name of the service account that the service runs as."
  type        = string
  default     = "mlops-api-sa"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.service_account_name))
    error_message = "service_account_name has 6 to 30 lower case letters, digits and dashes: the part in front of the @."
  }
}

variable "tags" {
  description = "Labels of all resources."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key, value in var.tags : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "tags are labels: keys and values of up to 63 lower case letters, digits, dashes and underscores; keys start with a letter."
  }
}

variable "zone" {
  description = "Zone of a public VM. Default: zone b of the region."
  type        = string
  default     = null

  validation {
    condition     = var.zone == null ? true : startswith(var.zone, "${var.region}-")
    error_message = "zone has to lie in region, such as europe-west1-b in europe-west1."
  }
}
