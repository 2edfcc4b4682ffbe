variable "branch" {
  description = "Branch that the triggers build."
  type        = string
  default     = "main"
  nullable    = false
}

variable "builder_service_account" {
  description = "Service account that builds run as, projects/P/serviceAccounts/E."
  type        = string
  nullable    = false
}

variable "functions_service_account" {
  description = "E-mail address of the functions' service account."
  type        = string
  nullable    = false
}

variable "functions_source" {
  description = "Archive of the functions' source in Storage. null: no function."
  type        = object({ bucket = string, name = string })
  default     = null
}

variable "image_repository" {
  description = "Artifact Registry repository for the function's image, projects/P/locations/R/repositories/N."
  type        = string
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

variable "project_number" {
  description = "The project's number."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of triggers, schedule and function: the repository's connection and the watched bucket are in it."
  type        = string
  nullable    = false
}

variable "repository" {
  description = "Connected repository, projects/P/locations/R/connections/C/repositories/R. Empty: no triggers."
  type        = string
  default     = ""
  nullable    = false
}

variable "repository_type" {
  description = "Where the repository is hosted, for the triggers that no push starts: GITHUB, or UNKNOWN for the other hosts."
  type        = string
  nullable    = false
}

variable "retraining_schedule" {
  description = "When to retrain, as a cron line in UTC. Empty: never."
  type        = string
  default     = ""
  nullable    = false
}

variable "role_suffix" {
  description = "What the ids of the custom roles end in."
  type        = string
  nullable    = false
}

variable "scheduler_service_account" {
  description = "E-mail address of Cloud Scheduler's service account."
  type        = string
  nullable    = false
}

variable "services" {
  description = "Cloud Run services that builds deploy, by region key."
  type        = map(object({ location = string, name = string }))
  default     = {}
  nullable    = false
}

variable "substitutions" {
  description = "Substitutions of every trigger, as cloudbuild.yaml declares them, but _ACTION and _DATA_SOURCE."
  type        = map(string)
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.substitutions) : can(regex("^_[A-Z][A-Z0-9_]*$", name))])
    error_message = "Substitutions begin with an underscore: _REGION."
  }
}

variable "trigger_runner_role" {
  description = "Full name of the role that running a trigger takes."
  type        = string
  nullable    = false
}

variable "watched_bucket" {
  description = "Bucket whose new objects start training."
  type        = string
  nullable    = false
}

variable "watched_prefix" {
  description = "What the names of those objects begin with. Builds write models/ and mlruns/, so it is neither."
  type        = string
  default     = "data/"
  nullable    = false

  validation {
    condition     = can(regex("^[^/].*/$", var.watched_prefix)) && !anytrue([for own in ["models/", "mlruns/", "failover/", "deployment/"] : startswith(var.watched_prefix, own)])
    error_message = "watched_prefix is a folder such as data/, and none that builds write to: a build would start itself."
  }
}
