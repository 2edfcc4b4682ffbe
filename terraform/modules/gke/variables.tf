variable "deletion_protection" {
  description = "Whether the cluster refuses to be deleted."
  type        = bool
  nullable    = false
}

variable "kms_key" {
  description = "Key that encrypts the nodes' disks. null: Google's."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of all resources."
  type        = map(string)
  nullable    = false
}

variable "name" {
  description = "Name of the cluster."
  type        = string
  default     = "mlops"
  nullable    = false
}

variable "namespace" {
  description = "Kubernetes namespace of k8s/."
  type        = string
  default     = "mlops"
  nullable    = false
}

variable "network_id" {
  description = "VPC of the nodes."
  type        = string
  nullable    = false
}

variable "project_id" {
  description = "The project."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of cluster and registry."
  type        = string
  nullable    = false
}

variable "repository_id" {
  description = "Artifact Registry repository that the nodes pull from."
  type        = string
  nullable    = false
}

variable "subnetwork_id" {
  description = "Subnet of the nodes; GKE adds its ranges of pods and services."
  type        = string
  nullable    = false
}

variable "workload_identities" {
  description = "Service account that each Kubernetes service account acts as: name => projects/P/serviceAccounts/E."
  type        = map(string)
  nullable    = false
}
