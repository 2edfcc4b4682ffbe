variable "key_name" {
  description = "Full name of a key that is there already. null: a key for each use is made."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the keys."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "project_id" {
  description = "Project to build in."
  type        = string
  nullable    = false
}

variable "project_number" {
  description = "The project's number, which Google's service agents are named after."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the keys."
  type        = string
  nullable    = false
}

variable "ring_name" {
  description = "Name of the key ring. A ring can't be deleted, nor its name used again."
  type        = string
  default     = "mlops"
  nullable    = false
}
