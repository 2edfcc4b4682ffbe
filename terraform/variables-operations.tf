variable "documentation_url" {
  description = "Where the repository's files can be read: what alerts put in front of their runbook's path. Empty: the path alone."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.documentation_url == "" || can(regex("^https://.+/$", var.documentation_url))
    error_message = "documentation_url is an https:// address that ends in a slash, such as https://github.com/OWNER/REPOSITORY/blob/main/."
  }
}

variable "enable_monitoring_alerts" {
  description = "Whether uptime check, SLOs, alerts, dashboard and the Managed Prometheus sidecar are made. The sidecar keeps an instance's CPU on."
  type        = bool
  default     = false
  nullable    = false
}

variable "notification_channels" {
  description = "Where alerts go: email:ADDRESS, pubsub:TOPIC (a topic that is made), or pubsub:projects/PROJECT/topics/TOPIC (one that is there)."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for channel in var.notification_channels : can(regex("^(email:[^@\\s]+@[^@\\s]+[.][a-z]+|pubsub:(projects/[^/]+/topics/)?[A-Za-z][A-Za-z0-9._~+%-]{2,254})$", channel))])
    error_message = "notification_channels are email:ADDRESS or pubsub:TOPIC, such as [\"email:admin@example.com\"]."
  }
}

variable "repository" {
  description = "Cloud Build's connected repository, projects/P/locations/REGION/connections/C/repositories/R, whose pushes build and deploy. Empty: no push trigger."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.repository == "" || can(regex("^projects/[^/]+/locations/${var.region}/connections/[^/]+/repositories/[^/]+$", var.repository))
    error_message = "repository is a 2nd generation repository in region: projects/PROJECT/locations/REGION/connections/CONNECTION/repositories/REPOSITORY."
  }
}

variable "repository_branch" {
  description = "Branch whose pushes build and deploy."
  type        = string
  default     = "main"
  nullable    = false
}

variable "repository_type" {
  description = "Host of repository: GITHUB, BITBUCKET_SERVER, or UNKNOWN for the others."
  type        = string
  default     = "GITHUB"
  nullable    = false

  validation {
    condition     = contains(["BITBUCKET_SERVER", "GITHUB", "UNKNOWN"], var.repository_type)
    error_message = "repository_type is GITHUB, BITBUCKET_SERVER or UNKNOWN."
  }
}

variable "retraining_schedule" {
  description = "When to retrain without new data, as a cron line in UTC, such as 0 3 * * 1. Empty: never."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.retraining_schedule == "" || can(regex("^(\\S+\\s+){4}\\S+$", var.retraining_schedule))
    error_message = "retraining_schedule is a cron line of five fields, such as 0 3 * * 1 (Mondays at 3)."
  }

  validation {
    condition     = var.retraining_schedule == "" || var.repository != ""
    error_message = "retraining_schedule needs repository: the schedule starts a trigger, and a trigger builds a connected repository."
  }
}
