variable "iap_tunnel_users" {
  description = "Who may reach the VM by SSH through IAP: e-mail addresses or members."
  type        = list(string)
  nullable    = false
}

variable "project_id" {
  description = "Project to build in."
  type        = string
  nullable    = false
}

variable "role_suffix" {
  description = "What the ids of the custom roles end in."
  type        = string
  nullable    = false
}

variable "runtime_name" {
  description = "Name of the service account that the service runs as."
  type        = string
  nullable    = false
}
