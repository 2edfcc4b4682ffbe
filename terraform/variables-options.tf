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

  validation {
    condition     = alltrue([for user in var.mlflow_users : can(regex("^((user|group|serviceAccount):[^@:\\s]+@|domain:|[^@:\\s]+@)[^@:\\s]+[.][a-z]+$", user))])
    error_message = "mlflow_users are e-mail addresses, or members such as user:, group:, serviceAccount: or domain:; never allUsers."
  }
}
