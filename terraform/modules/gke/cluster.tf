# Nodes have private addresses only. The control plane has no address at all: it is reached by a DNS
# name, behind IAM, so kubectl works from anywhere for those who may, and for nobody else.
resource "google_container_cluster" "default" {
  #checkov:skip=CKV_GCP_21:resource_labels is set; checkov does not resolve it through the root
  #checkov:skip=CKV_GCP_12:Autopilot enforces network policies by Dataplane V2, and refuses the older add-on
  #checkov:skip=CKV_GCP_61:Autopilot decides on intra-node visibility, and refuses the argument
  #checkov:skip=CKV_GCP_65:needs a Google group of the organization named gke-security-groups; IAM decides here
  #checkov:skip=CKV_GCP_69:Autopilot nodes always run the metadata server of Workload Identity
  project          = var.project_id
  location         = var.region
  name             = var.name
  enable_autopilot = true

  network         = var.network_id
  subnetwork      = var.subnetwork_id
  resource_labels = var.labels

  deletion_protection = var.deletion_protection

  ip_allocation_policy {
    cluster_ipv4_cidr_block  = "/17"
    services_ipv4_cidr_block = "/22"
  }

  private_cluster_config {
    enable_private_nodes    = true
    enable_private_endpoint = true
  }

  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic = true
    }

    ip_endpoints_config {
      enabled = false
    }
  }

  master_authorized_networks_config {} # no addresses

  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  cluster_autoscaling {
    auto_provisioning_defaults {
      service_account   = google_service_account.nodes.email
      oauth_scopes      = ["https://www.googleapis.com/auth/cloud-platform"]
      boot_disk_kms_key = var.kms_key
    }
  }

  binary_authorization {
    evaluation_mode = "PROJECT_SINGLETON_POLICY_ENFORCE" # the project's policy; until one is set it allows all
  }

  gateway_api_config {
    channel = "CHANNEL_STANDARD" # k8s/overlays/gke has a Gateway
  }

  release_channel {
    channel = "REGULAR"
  }

  secret_manager_config { # keys as files, from Secret Manager
    enabled = true

    rotation_config {
      enabled           = true
      rotation_interval = "120s"
    }
  }

  maintenance_policy {
    recurring_window {
      start_time = "2026-01-03T02:00:00Z"
      end_time   = "2026-01-03T08:00:00Z"
      recurrence = "FREQ=WEEKLY;BYDAY=SA,SU"
    }
  }

  depends_on = [google_artifact_registry_repository_iam_member.nodes, google_project_iam_member.nodes]
}
