# The cluster: who can reach its control plane and its nodes, and whom its pods stand for.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id          = "iris-test"
  region              = "europe-west1"
  network_id          = "network"
  subnetwork_id       = "subnetwork"
  repository_id       = "mlops-repo"
  deletion_protection = true
  labels              = { app = "iris-api" }
  workload_identities = { iris-api = "projects/iris-test/serviceAccounts/mlops-api-sa@iris-test.iam.gserviceaccount.com" }
}

run "has_private_nodes_and_a_control_plane_without_an_address" {
  module {
    source = "./modules/gke"
  }

  assert {
    condition     = google_container_cluster.default.enable_autopilot && google_container_cluster.default.private_cluster_config[0].enable_private_nodes
    error_message = "nodes have private addresses only"
  }

  assert {
    condition = (
      google_container_cluster.default.private_cluster_config[0].enable_private_endpoint
      && !google_container_cluster.default.control_plane_endpoints_config[0].ip_endpoints_config[0].enabled
      && length(google_container_cluster.default.master_authorized_networks_config[0].cidr_blocks) == 0
    )
    error_message = "the control plane has no address: it is reached by its DNS name, behind IAM"
  }

  assert {
    condition     = google_container_cluster.default.deletion_protection
    error_message = "deletion protection reaches the cluster"
  }
}

run "gives_nodes_and_pods_no_more_than_they_need" {
  module {
    source = "./modules/gke"
  }

  assert {
    condition = (
      google_container_cluster.default.cluster_autoscaling[0].auto_provisioning_defaults[0].service_account == google_service_account.nodes.email
      && google_project_iam_member.nodes.role == "roles/container.defaultNodeServiceAccount"
      && google_artifact_registry_repository_iam_member.nodes.role == "roles/artifactregistry.reader"
    )
    error_message = "nodes run as an account of their own, which writes logs and metrics and pulls images"
  }

  assert {
    condition = (
      keys(google_service_account_iam_member.pods) == ["iris-api"]
      && google_service_account_iam_member.pods["iris-api"].role == "roles/iam.workloadIdentityUser"
      && google_service_account_iam_member.pods["iris-api"].member == "serviceAccount:iris-test.svc.id.goog[mlops/iris-api]"
    )
    error_message = "the service account iris-api of namespace mlops, and no other, stands for the runtime's"
  }
}
