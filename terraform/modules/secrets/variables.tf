variable "accessors" {
  description = "Members that may read the secret."
  type        = map(string)
  nullable    = false
}

variable "create" {
  description = "Whether the secret is made here; false: it is there already."
  type        = bool
  nullable    = false
}

variable "kms_key" {
  description = "Key that encrypts the secret. null: Google's."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the secret."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "project_id" {
  description = "Project to build in."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the replica, when a key encrypts it."
  type        = string
  nullable    = false
}

variable "secret_id" {
  description = "Short name of the secret."
  type        = string
  nullable    = false
}

variable "value" {
  description = "The value to write. Needed when value_version changes."
  type        = string
  default     = null
  sensitive   = true
}

variable "value_version" {
  description = "Written anew whenever it changes."
  type        = string
  nullable    = false
}
