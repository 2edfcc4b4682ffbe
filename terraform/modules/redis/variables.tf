variable "accessors" {
  description = "Who reads the URI: a name for each IAM member."
  type        = map(string)
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether the instance refuses to be deleted."
  type        = bool
  nullable    = false
}

variable "enabled" {
  description = "Whether there is an instance. The secret is there either way."
  type        = bool
  nullable    = false
}

variable "kms_key" {
  description = "Key that encrypts the secret. null: Google's."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of all resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "name" {
  description = "Name of the instance; the secret's name starts with it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", var.name))
    error_message = "name has up to 40 lower case letters, digits and dashes, and starts with a letter."
  }
}

variable "network_id" {
  description = "VPC that the instance is reached from."
  type        = string
  nullable    = false
}

variable "project_id" {
  description = "The project."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the instance: that of the service, which asks it once a request."
  type        = string
  nullable    = false
}
