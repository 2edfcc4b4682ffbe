variable "api_key_secret" {
  description = "Secret with the API keys: projects/P/secrets/S."
  type        = string
  nullable    = false
}

variable "boot_image" {
  description = "Image of the boot disk, a Container-Optimized OS."
  type        = string
  nullable    = false
}

variable "container_port" {
  description = "Port of the service, in the container and on the machine."
  type        = number
  nullable    = false
}

variable "disk_size_gb" {
  description = "Size of the boot disk."
  type        = number
  nullable    = false
}

variable "environment" {
  description = "The service's settings (docs/configuration.md)."
  type        = map(string)
  nullable    = false
}

variable "failover_settings_object" {
  description = "BUCKET/NAME of the failover's settings; null: the machines don't watch Cloud Run."
  type        = string
  default     = null
}

variable "image" {
  description = "The container's first image; later ones are Cloud Build's."
  type        = string
  nullable    = false
}

variable "kms_key" {
  description = "Key that encrypts the disks; null: Google's."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "machine_type" {
  description = "Machine type."
  type        = string
  nullable    = false
}

variable "max_instances" {
  description = "Most instances behind the load balancer."
  type        = number
  nullable    = false
}

variable "models_bucket" {
  description = "Bucket of the object that names the image to run; the machines and Cloud Build may reach it already."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the group and of its instances."
  type        = string
  nullable    = false
}

variable "project_id" {
  description = "Project of the group."
  type        = string
  nullable    = false
}

variable "public" {
  description = "A single VM with a public address, and the domain that Caddy terminates TLS for (empty: plain HTTP); null: a group behind the load balancer."
  type        = object({ domain = string })
  default     = null
}

variable "region" {
  description = "Region of the group."
  type        = string
  nullable    = false
}

variable "roller" {
  description = "Member that rolls the group: Cloud Build's service account."
  type        = string
  nullable    = false
}

variable "roller_role" {
  description = "Full name of the role that rolling the group takes."
  type        = string
  nullable    = false
}

variable "secret_environment" {
  description = "Settings that are secrets: name of the variable to projects/P/secrets/S."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "service_account_email" {
  description = "Service account of the machines."
  type        = string
  nullable    = false
}

variable "subnetwork_id" {
  description = "Subnet of the machines."
  type        = string
  nullable    = false
}

variable "zone" {
  description = "Zone of a public VM; a group is in all of its region."
  type        = string
  nullable    = false
}
