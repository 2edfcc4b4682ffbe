variable "artifacts_uri" {
  description = "Folder of the artifacts, gs://BUCKET/PREFIX/."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^gs://[^/]+/.+/$", var.artifacts_uri))
    error_message = "artifacts_uri is a folder in a bucket, such as gs://PROJECT-ml-models/mlruns/."
  }
}

variable "deletion_protection" {
  description = "Whether database and server refuse to be deleted."
  type        = bool
  nullable    = false
}

variable "image" {
  description = "Image with mlflow, psycopg2 and Storage's client, by digest: the pipeline image."
  type        = string
  nullable    = false
}

variable "labels" {
  description = "Labels of all resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "name" {
  description = "Name of the Cloud Run service and of the database's instance."
  type        = string
  default     = "mlflow"
  nullable    = false
}

variable "network_id" {
  description = "VPC that the database has its address in."
  type        = string
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
  description = "Region of server and database."
  type        = string
  nullable    = false
}

variable "subnetwork_id" {
  description = "Subnet that the server reaches the database from."
  type        = string
  nullable    = false
}

variable "users" {
  description = "Who may open the server: e-mail addresses, or members such as group:ml@example.com."
  type        = list(string)
  default     = []
  nullable    = false
}
