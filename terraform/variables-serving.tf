variable "active_backend" {
  description = "What answers behind the load balancer: cloud_run, vm, or auto (Cloud Run until the failover function turns to the VM; Terraform leaves its choice alone)."
  type        = string
  default     = "auto"
  nullable    = false

  validation {
    condition     = contains(["auto", "cloud_run", "vm"], var.active_backend)
    error_message = "active_backend is auto, cloud_run or vm."
  }

  validation {
    condition     = var.active_backend == "auto" || var.enable_load_balancer
    error_message = "active_backend needs enable_load_balancer = true: without it there is nothing to switch."
  }
}

variable "allowed_http_ips" {
  description = "Address ranges that may call a public VM. Behind a load balancer leave it empty: only the load balancer's own ranges reach the VM."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for range in var.allowed_http_ips : can(cidrhost(range, 0))])
    error_message = "allowed_http_ips are ranges in CIDR form, such as 203.0.113.7/32."
  }

  validation {
    condition     = !contains(var.allowed_http_ips, "0.0.0.0/0") || var.domain != ""
    error_message = "allowed_http_ips opens the VM to everybody without TLS: set domain too, or list the addresses."
  }

  validation {
    condition     = length(var.allowed_http_ips) > 0 || !var.enable_public_ip
    error_message = "enable_public_ip needs allowed_http_ips, such as [\"203.0.113.7/32\"]: nobody could call the VM."
  }
}

variable "allowed_ssh_ips" {
  description = "Address ranges that may reach a public VM by SSH, beside IAP."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for range in var.allowed_ssh_ips : can(cidrhost(range, 0))])
    error_message = "allowed_ssh_ips are ranges in CIDR form, such as 203.0.113.7/32."
  }

  validation {
    condition     = alltrue([for range in var.allowed_ssh_ips : can(regex("/(1[6-9]|2[0-9]|3[0-2])$", range))])
    error_message = "allowed_ssh_ips may hold ranges of /16 and smaller only, never 0.0.0.0/0: use IAP (iap_tunnel_users)."
  }

  validation {
    condition     = length(var.allowed_ssh_ips) == 0 || var.enable_public_ip
    error_message = "allowed_ssh_ips does nothing without enable_public_ip: a VM without a public address is reached through IAP (iap_tunnel_users)."
  }
}

variable "cors_origins" {
  description = "Origins of the browsers' pages that may call the service, comma separated. Default: the service's own."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = !strcontains(var.cors_origins, "*")
    error_message = "cors_origins may not hold *: in production the service refuses to start with it. List the origins, such as https://app.example.com."
  }
}

variable "disk_size_gb" {
  description = "Size of a VM's disk in GB."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.disk_size_gb >= 10 && var.disk_size_gb <= 1000
    error_message = "disk_size_gb is between 10 and 1000."
  }
}

variable "dns_managed_zone" {
  description = "Cloud DNS zone that domain is in. With it the name is pointed at the load balancer, and its certificate is ready before. null: the domain's records are kept elsewhere."
  type        = string
  default     = null

  validation {
    condition     = var.dns_managed_zone == null || var.domain != "" && var.enable_load_balancer
    error_message = "dns_managed_zone needs domain and enable_load_balancer = true."
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

variable "enable_cloud_armor" {
  description = "Whether Cloud Armor protects the load balancer's backends."
  type        = bool
  default     = true
  nullable    = false
}

variable "enable_load_balancer" {
  description = "Whether a load balancer stands in front of Cloud Run, with a VM as fallback. false: Cloud Run on its own run.app address."
  type        = bool
  default     = false
  nullable    = false
}

variable "enable_public_ip" {
  description = "Whether a VM with a public address serves, instead of Cloud Run."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !(var.enable_public_ip && var.enable_load_balancer)
    error_message = "enable_public_ip and enable_load_balancer exclude each other: behind the load balancer the VM has no public address."
  }
}

variable "failback" {
  description = "Who turns back to Cloud Run after an automatic failover: manual or automatic."
  type        = string
  default     = "manual"
  nullable    = false

  validation {
    condition     = contains(["manual", "automatic"], var.failback)
    error_message = "failback is manual or automatic."
  }
}

variable "failover_region" {
  description = "Region of the failover function, its schedule and its state: another one than region, which may be what is down."
  type        = string
  default     = "europe-west4"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.failover_region)) && var.failover_region != var.region
    error_message = "failover_region is another region than region, such as europe-west4."
  }
}

variable "load_balancer_name" {
  description = "What the load balancer's resources are named after."
  type        = string
  default     = "iris-api"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,40}[a-z0-9])?$", var.load_balancer_name))
    error_message = "load_balancer_name has up to 42 lower case letters, digits and dashes, and starts with a letter."
  }
}

variable "machine_type" {
  description = "Machine type of the VM."
  type        = string
  default     = "e2-small"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*-[a-z0-9-]+$", var.machine_type))
    error_message = "machine_type is a name such as e2-small or n2d-standard-2."
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
  description = "Where the pipeline and the service look for MLflow's artifacts. Default: gs://BUCKET/mlruns/, or the MLflow server when there is one."
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

variable "secondary_region" {
  description = "A second region of Cloud Run behind the load balancer, which takes over by itself when the first one fails. Keeps an instance warm in both."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.secondary_region == "" || can(regex("^[a-z]+-[a-z]+[0-9]+$", var.secondary_region)) && var.secondary_region != var.region
    error_message = "secondary_region is another region than region, such as europe-west4."
  }

  validation {
    condition     = var.secondary_region == "" || var.enable_load_balancer
    error_message = "secondary_region needs enable_load_balancer = true: without it nothing would send requests there."
  }

  validation {
    condition     = var.secondary_region == "" || var.min_instances > 0
    error_message = "secondary_region needs min_instances of 1 or more: a region without a running instance reports no health."
  }
}

variable "vm_image" {
  description = "Boot image of the VM: a Container-Optimized OS, for Docker and cloud-init."
  type        = string
  default     = "projects/cos-cloud/global/images/family/cos-stable"
  nullable    = false

  validation {
    condition     = strcontains(var.vm_image, "cos-")
    error_message = "vm_image has to be a Container-Optimized OS since version 2, such as projects/cos-cloud/global/images/family/cos-stable: Debian and Ubuntu images are replaced by it."
  }
}

variable "vm_name" {
  description = "Name of the VM, or of the group of VMs."
  type        = string
  default     = "iris-api-server"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,40}[a-z0-9])?$", var.vm_name))
    error_message = "vm_name has up to 42 lower case letters, digits and dashes, and starts with a letter."
  }
}

variable "vm_percent" {
  description = "Share of requests, in percent, that the VM answers while Cloud Run is the active backend."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.vm_percent >= 0 && var.vm_percent <= 100 && floor(var.vm_percent) == var.vm_percent
    error_message = "vm_percent is a whole number from 0 to 100."
  }

  validation {
    condition     = var.vm_percent == 0 || var.enable_load_balancer
    error_message = "vm_percent needs enable_load_balancer = true, which brings the VM fallback."
  }
}

variable "vm_watchdog" {
  description = "Whether the VMs watch Cloud Run too, beside the failover function: for the day when functions and Cloud Run are down together."
  type        = bool
  default     = true
  nullable    = false
}

variable "waf_preview" {
  description = "Whether Cloud Armor's WAF rules only log what they would refuse. Try it so before enforcing new rules."
  type        = bool
  default     = false
  nullable    = false
}
