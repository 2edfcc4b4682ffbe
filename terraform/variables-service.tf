variable "cors_origins" {
  description = "Origins of the browsers' pages that may call the service, comma separated. Default: the service's own."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = !strcontains(var.cors_origins, "*")
    error_message = "cors_origins may not hold *: in production the service refuses to start with it. List the origins, such as https://app.example.com."
  }

  validation {
    condition     = alltrue([for origin in compact(split(",", var.cors_origins)) : can(regex("^[a-z][a-z0-9+.-]*://[^/A-Z]+$", trimspace(origin)))])
    error_message = "cors_origins are what browsers send: scheme, host and port in small letters, no path, no slash at the end, such as https://app.example.com."
  }
}

variable "docker_image" {
  description = "The image to serve, REGION-docker.pkg.dev/PROJECT/mlops-repo/iris-api@sha256:... Empty: only the foundation is built, nothing that needs an image."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.docker_image == "" || can(regex("^[a-z0-9.-]+/[a-z0-9._/-]+(:[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64}|:[A-Za-z0-9_.-]+@sha256:[0-9a-f]{64})$", var.docker_image))
    error_message = "docker_image is empty, or a full name with a digest (better) or a tag: europe-west1-docker.pkg.dev/PROJECT/mlops-repo/iris-api@sha256:..."
  }
}

variable "domain" {
  description = "Domain name of the service; its A record has to point at load_balancer_ip (or vm_external_ip). Empty: no TLS at the load balancer or on the public VM, for trials only."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.domain == "" || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?[.])+[a-z]{2,}$", var.domain))
    error_message = "domain is a name such as api.example.com, without https:// and without a path."
  }
}

variable "max_instances" {
  description = "Most instances of Cloud Run, and of the VM group. With limits in memory, each instance counts for itself."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 100 && var.max_instances >= var.min_instances
    error_message = "max_instances is between 1 and 100, and no less than min_instances."
  }
}

variable "min_instances" {
  description = "Instances of Cloud Run that are kept warm. 0 costs nothing while nobody calls; the first call then waits about two seconds."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.min_instances >= 0 && var.min_instances <= 100
    error_message = "min_instances is between 0 and 100."
  }
}

variable "mlflow_tracking_uri" {
  description = "Where builds put MLflow's artifacts, and the service looks for them. Default: gs://BUCKET/mlruns/, with enable_mlflow_server too."
  type        = string
  default     = null

  validation {
    condition     = var.mlflow_tracking_uri == null ? true : can(regex("^(gs|https?)://", var.mlflow_tracking_uri))
    error_message = "mlflow_tracking_uri starts with gs:// or https://."
  }
}

variable "rate_limits" {
  description = "Requests a minute, the service's and Cloud Armor's: predictions and model_info per key, health per client, auth_failures (refused keys) per client."
  type = object({
    auth_failures = optional(number, 10)
    health        = optional(number, 30)
    model_info    = optional(number, 20)
    predict       = optional(number, 10)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for limit in values(var.rate_limits) : limit >= 1 && floor(limit) == limit])
    error_message = "rate_limits are whole numbers from 1."
  }
}
