variable "active_backend" {
  description = "The switch's position: auto, or cloud_run and vm, in which the controllers stand down."
  type        = string
  nullable    = false
}

variable "bucket" {
  description = "Name of the bucket to make for state and settings."
  type        = string
  nullable    = false
}

variable "builder_id" {
  description = "Service account that builds the function: projects/P/serviceAccounts/E."
  type        = string
  nullable    = false
}

variable "controller_role" {
  description = "Full name of the role that lets controllers move the proxy's pointer."
  type        = string
  nullable    = false
}

variable "failback" {
  description = "Who turns back to Cloud Run: manual or automatic."
  type        = string
  nullable    = false
}

variable "function_email" {
  description = "Service account of the function."
  type        = string
  nullable    = false
}

variable "labels" {
  description = "Labels of the resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "log_bucket" {
  description = "Bucket of the access logs."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of function, topic, job and registry."
  type        = string
  nullable    = false
}

variable "probe_token" {
  description = "Token of the load balancer's probe routes."
  type        = string
  sensitive   = true
  nullable    = false
}

variable "project_id" {
  description = "Project of the function."
  type        = string
  nullable    = false
}

variable "proxy_id" {
  description = "The proxy whose URL map is switched."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of function, job and bucket; not the service's."
  type        = string
  nullable    = false
}

variable "settings_object" {
  description = "Name of the object with the controllers' settings."
  type        = string
  nullable    = false
}

variable "source_archive" {
  description = "Archive of `make functions-source`: its bucket and name."
  type        = object({ bucket = string, name = string })
  nullable    = false
}

variable "url" {
  description = "Address of the load balancer, which the probes call."
  type        = string
  nullable    = false
}

variable "url_map_ids" {
  description = "Ids of the URL maps: primary and fallback."
  type        = object({ primary = string, fallback = string })
  nullable    = false
}

variable "vm_backend_id" {
  description = "Backend service of the VM, whose health is asked for."
  type        = string
  nullable    = false
}

variable "vm_email" {
  description = "Service account of the VM."
  type        = string
  nullable    = false
}

variable "vm_watchdog" {
  description = "Whether the VM watches too, for the day when functions and Cloud Run are down together."
  type        = bool
  nullable    = false
}
