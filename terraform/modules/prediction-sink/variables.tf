variable "delete_contents_on_destroy" {
  description = "Whether terraform destroy deletes the rows too."
  type        = bool
  default     = false
  nullable    = false
}

variable "labels" {
  description = "Labels of all resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "project_id" {
  description = "The project."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Location of the dataset."
  type        = string
  nullable    = false
}

variable "retention_days" {
  description = "Days after which a day's rows are deleted."
  type        = number
  default     = 400
  nullable    = false

  validation {
    condition     = var.retention_days >= 1 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days is a whole number from 1."
  }
}
