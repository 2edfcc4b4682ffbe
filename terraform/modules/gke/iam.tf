resource "google_service_account" "nodes" {
  project      = var.project_id
  account_id   = "mlops-gke-sa"
  display_name = "The cluster's nodes"
}

# Logs, metrics and nothing else.
resource "google_project_iam_member" "nodes" {
  project = var.project_id
  role    = "roles/container.defaultNodeServiceAccount"
  member  = "serviceAccount:${google_service_account.nodes.email}"
}

resource "google_artifact_registry_repository_iam_member" "nodes" {
  project    = var.project_id
  location   = var.region
  repository = var.repository_id
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${google_service_account.nodes.email}"
}

# Pods act as the same service accounts as elsewhere: a Kubernetes service account of namespace mlops
# stands for each. k8s/ names them in its annotations iam.gke.io/gcp-service-account.
resource "google_service_account_iam_member" "pods" {
  for_each = var.workload_identities

  service_account_id = each.value
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project_id}.svc.id.goog[${var.namespace}/${each.key}]"

  depends_on = [google_container_cluster.default] # the identity pool comes with the project's first cluster
}
