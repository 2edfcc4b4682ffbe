variable "amount" {
  description = "What a month may cost, in the billing account's currency."
  type        = number
  nullable    = false
}

variable "billing_account" {
  description = "The billing account, such as 012345-6789AB-CDEF01."
  type        = string
  nullable    = false
}

variable "email_channel_ids" {
  description = "Notification channels of the type e-mail, five at most."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.email_channel_ids) <= 5
    error_message = "A budget tells at most five notification channels: name five e-mail addresses or fewer."
  }
}

variable "project_id" {
  description = "The project."
  type        = string
  nullable    = false
}

variable "project_number" {
  description = "The project's number."
  type        = string
  nullable    = false
}
