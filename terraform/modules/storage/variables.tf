variable "force_destroy" {
  description = "Whether buckets that hold objects may be deleted."
  type        = bool
  nullable    = false
}

variable "functions_archive" {
  description = "Path of the zip archive of the functions' source. Empty: none."
  type        = string
  nullable    = false
}

variable "kms_key" {
  description = "Key that encrypts the buckets. null: Google's."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the buckets."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "members" {
  description = "The members that use the buckets: builder, functions, runtime, vm."
  type        = map(string)
  nullable    = false
}

variable "models_bucket" {
  description = "Name of the bucket of models and MLflow's artifacts."
  type        = string
  nullable    = false
}

variable "project_id" {
  description = "Project to build in."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Location of the buckets."
  type        = string
  nullable    = false
}
