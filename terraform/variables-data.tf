variable "api_key_value" {
  description = "The key, or several, one a line, that clients send as X-API-Key. Give it as TF_VAR_api_key_value: it is written to Secret Manager and kept in no state; a plan saved with -out holds it. Needed when the secret is made, and when api_key_version is raised."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.api_key_value == null ? true : alltrue([for key in compact(split("\n", var.api_key_value)) : length(trimspace(key)) >= 32])
    error_message = "Each key in api_key_value needs at least 32 characters, or the service refuses to start: export TF_VAR_api_key_value=$(openssl rand -hex 32)."
  }
}

variable "api_key_version" {
  description = "Raise it to have api_key_value written as a new version of the secret: what is written can't be compared with what is there."
  type        = string
  default     = "1"
  nullable    = false

  validation {
    condition     = can(regex("^[1-9][0-9]*$", var.api_key_version))
    error_message = "api_key_version is a whole number from 1."
  }
}

variable "bucket_name" {
  description = "Name of the bucket of models and MLflow's artifacts. Default: PROJECT_ID-ml-models."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null ? true : can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name has 3 to 63 lower case letters, digits, dots, dashes and underscores, and no gs:// in front."
  }
}

variable "create_secret_manager_secret" {
  description = "Whether Terraform makes the secret and writes api_key_value to it. false: a secret of the name secret_manager_api_key_name is there already."
  type        = bool
  default     = true
  nullable    = false
}

variable "enable_kms_encryption" {
  description = "Whether buckets, registry, secrets and disks are encrypted with keys of one's own. To be decided before the first apply: it can't change later."
  type        = bool
  default     = false
  nullable    = false
}

variable "force_destroy_bucket" {
  description = "Whether terraform destroy deletes buckets that hold objects. false in production."
  type        = bool
  default     = false
  nullable    = false
}

variable "functions_archive" {
  description = "Path of the zip archive of the functions' source (make functions-source), relative to terraform/. Empty: no automatic failover and no retraining on new data."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.functions_archive == "" ? true : fileexists(var.functions_archive)
    error_message = "functions_archive names no file: make it with `make functions-source`, or leave it empty."
  }
}

variable "kms_key_name" {
  description = "A key of one's own for all that is encrypted, projects/P/locations/REGION/keyRings/R/cryptoKeys/K. Default: Terraform makes a key ring with a key for each use. Can't change after the first apply."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_name == null ? true : can(regex("^projects/[^/]+/locations/${var.region}/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key_name))
    error_message = "kms_key_name is a full name in the region of the buckets: projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY."
  }

  validation {
    condition     = var.kms_key_name == null || var.enable_kms_encryption
    error_message = "kms_key_name does nothing without enable_kms_encryption = true."
  }
}

variable "secret_manager_api_key_name" {
  description = "Name of the secret that holds the API key."
  type        = string
  default     = "mlops-api-key"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.secret_manager_api_key_name))
    error_message = "secret_manager_api_key_name is a secret's short name: letters, digits, dashes, underscores. The service needs one; a key in the VM's metadata is no longer possible."
  }
}
