variable "project_id" {
  description = "Project whose services are enabled."
  type        = string
  nullable    = false
}

variable "services" {
  description = "Services to enable, such as run.googleapis.com."
  type        = set(string)
  nullable    = false
}
