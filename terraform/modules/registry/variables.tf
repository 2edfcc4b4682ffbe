variable "kms_key" {
  description = "Key that encrypts the images. null: Google's."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the repository."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "project_id" {
  description = "Project to build in."
  type        = string
  nullable    = false
}

variable "readers" {
  description = "Members that may pull."
  type        = map(string)
  nullable    = false
}

variable "region" {
  description = "Location of the repository."
  type        = string
  nullable    = false
}

variable "repository_id" {
  description = "Name of the repository."
  type        = string
  default     = "mlops-repo"
  nullable    = false
}

variable "writers" {
  description = "Members that may push."
  type        = map(string)
  nullable    = false
}
