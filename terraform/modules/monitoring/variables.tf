variable "availability_objective" {
  description = "Share of requests that are answered without an error of the service, of a month; as in monitoring/rules/service.yml."
  type        = number
  default     = 0.999
  nullable    = false

  validation {
    condition     = var.availability_objective > 0 && var.availability_objective < 1
    error_message = "availability_objective is a share between 0 and 1, such as 0.999."
  }
}

variable "backend_names" {
  description = "The load balancer's backend services that answer clients. Empty without a load balancer."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "documentation_url" {
  description = "What the runbook's path is put behind in an alert; empty: the path in the repository."
  type        = string
  default     = ""
  nullable    = false
}

variable "endpoint" {
  description = "Where clients reach the service. null: nowhere that Google's uptime checkers may go."
  type        = object({ host = string, port = number, tls = bool })
  default     = null
}

variable "labels" {
  description = "Labels of all resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "latency_objective" {
  description = "Share of answers within latency_seconds, of a month; as in monitoring/rules/service.yml."
  type        = number
  default     = 0.99
  nullable    = false

  validation {
    condition     = var.latency_objective > 0 && var.latency_objective < 1
    error_message = "latency_objective is a share between 0 and 1, such as 0.99."
  }
}

variable "latency_seconds" {
  description = "How long an answer may take, in seconds; as in monitoring/rules/service.yml."
  type        = number
  default     = 0.1
  nullable    = false

  validation {
    condition     = var.latency_seconds > 0
    error_message = "latency_seconds is above 0."
  }
}

variable "measured_at" {
  description = "What counts the requests of the objectives: load_balancer, cloud_run, or uptime_check."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["cloud_run", "load_balancer", "uptime_check"], var.measured_at)
    error_message = "measured_at is load_balancer, cloud_run or uptime_check."
  }
}

variable "notification_channels" {
  description = "Where alerts go: email:ADDRESS, pubsub:TOPIC (made here) or pubsub:projects/P/topics/TOPIC."
  type        = list(string)
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

variable "prometheus_enabled" {
  description = "Whether the service's own metrics reach Managed Prometheus: by the collector on Cloud Run, or by GKE."
  type        = bool
  nullable    = false
}

variable "service_name" {
  description = "Name of the service."
  type        = string
  nullable    = false
}
