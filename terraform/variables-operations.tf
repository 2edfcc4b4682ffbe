variable "billing_account" {
  description = "Billing account of the budget, such as 012345-6789AB-CDEF01."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.billing_account == "" || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "billing_account looks like 012345-6789AB-CDEF01 (gcloud billing accounts list)."
  }
}

variable "budget_amount" {
  description = "Monthly budget, in the billing account's currency, whose 50, 90 and 100 % send an alert. 0: none. Needs billing_account."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.budget_amount >= 0 && floor(var.budget_amount) == var.budget_amount
    error_message = "budget_amount is a whole number from 0."
  }

  validation {
    condition     = var.budget_amount == 0 || var.billing_account != ""
    error_message = "budget_amount needs billing_account: a budget belongs to it."
  }
}

variable "enable_gke" {
  description = "Whether a GKE Autopilot cluster for k8s/ is made."
  type        = bool
  default     = false
  nullable    = false
}

variable "enable_mlflow_server" {
  description = "Whether an MLflow tracking server is made: Cloud Run behind IAP, Cloud SQL and a bucket."
  type        = bool
  default     = false
  nullable    = false
}

variable "enable_monitoring_alerts" {
  description = "Whether uptime check, SLOs, alerts, dashboard and the Managed Prometheus sidecar are made. The sidecar keeps an instance's CPU on."
  type        = bool
  default     = false
  nullable    = false
}

variable "enable_prediction_sink" {
  description = "Whether the log of predictions goes to BigQuery."
  type        = bool
  default     = false
  nullable    = false
}

variable "enable_redis" {
  description = "Whether a Memorystore for Redis counts the limits for all instances together."
  type        = bool
  default     = false
  nullable    = false
}

variable "mlflow_image" {
  description = "Image of the MLflow server, by digest: the pipeline image iris-api-pipeline. Needed with enable_mlflow_server."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.mlflow_image != "" || !var.enable_mlflow_server
    error_message = "enable_mlflow_server needs mlflow_image, such as europe-west1-docker.pkg.dev/PROJECT/mlops-repo/iris-api-pipeline@sha256:..."
  }
}

variable "mlflow_users" {
  description = "Who may open the MLflow server through IAP: e-mail addresses, or members such as group:ml@example.com."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "notification_channels" {
  description = "Where alerts go: email:ADDRESS, or pubsub:TOPIC (made if it is a short name)."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for channel in var.notification_channels : can(regex("^(email:[^@\\s]+@[^@\\s]+[.][a-z]+|pubsub:[A-Za-z][A-Za-z0-9._~+%-]{2,254})$", channel))])
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

variable "retraining_schedule" {
  description = "When to retrain without new data, as a cron line in UTC, such as 0 3 * * 1. Empty: never."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.retraining_schedule == "" || can(regex("^(\\S+\\s+){4}\\S+$", var.retraining_schedule))
    error_message = "retraining_schedule is a cron line of five fields, such as 0 3 * * 1 (Mondays at 3)."
  }
}
