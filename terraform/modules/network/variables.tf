variable "http_ranges" {
  description = "Address ranges that may call a public VM."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "name" {
  description = "Name of the network; the rest is named after it."
  type        = string
  nullable    = false
}

variable "project_id" {
  description = "Project to build in."
  type        = string
  nullable    = false
}

variable "ranges" {
  description = "Address range of each subnet, by the keys of regions."
  type        = map(string)
  default     = { primary = "10.10.0.0/20", secondary = "10.10.16.0/20" }
  nullable    = false
}

variable "regions" {
  description = "Regions with a subnet: primary, and secondary if there is one."
  type        = map(string)
  nullable    = false
}

variable "service_port" {
  description = "Port of the service on the VM."
  type        = number
  nullable    = false
}

variable "ssh_ranges" {
  description = "Address ranges that may reach a public VM by SSH, beside IAP."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "tls" {
  description = "Whether a public VM has a certificate from Let's Encrypt: ports 80 and 443 instead of the service's own."
  type        = bool
  default     = false
  nullable    = false
}

variable "vm_service_account" {
  description = "E-mail address of the service account of the VMs, which the rules aim at."
  type        = string
  nullable    = false
}
