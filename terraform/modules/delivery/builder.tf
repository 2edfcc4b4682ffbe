# What the builder may do beyond its own buckets, registry and secret, which their modules grant.

resource "google_cloud_run_v2_service_iam_member" "builder_deploys" {
  for_each = var.services

  project  = var.project_id
  location = each.value.location
  name     = each.value.name
  role     = "roles/run.developer" # deploys and shifts traffic; can't make the service public
  member   = local.builder
}

# The predefined role is called admin, and may also delete others' scans.
resource "google_project_iam_custom_role" "image_scanner" {
  project     = var.project_id
  role_id     = "mlopsImageScanner${var.role_suffix}"
  title       = "Image scanner"
  description = "Scans an image for known vulnerabilities and reads the findings"
  permissions = [
    "ondemandscanning.operations.get",
    "ondemandscanning.scans.analyzePackages",
    "ondemandscanning.scans.listVulnerabilities",
  ]
}

resource "google_project_iam_member" "builder_scans" {
  project = var.project_id
  role    = google_project_iam_custom_role.image_scanner.name
  member  = local.builder
}

# While a build shifts traffic it reads what users were answered by the candidate, and a build that finds another's
# lock asks whether that one still runs. The SBOM is attached to the image as an occurrence. The first build asks for
# a service that there is not: without run.services.get on the project the answer is 403, not 404. The operations that
# gcloud waits for, run.operations.get, are the project's and not the service's.
resource "google_project_iam_custom_role" "deployment_observer" {
  project     = var.project_id
  role_id     = "mlopsDeploymentObserver${var.role_suffix}"
  title       = "Deployment observer"
  description = "Reads request logs, builds and services, and attaches the list of parts to an image"
  permissions = [
    "cloudbuild.builds.get",
    "containeranalysis.notes.attachOccurrence",
    "containeranalysis.occurrences.create",
    "logging.logEntries.list",
    "run.operations.get",
    "run.services.get",
  ]
}

resource "google_project_iam_member" "builder_observes" {
  project = var.project_id
  role    = google_project_iam_custom_role.deployment_observer.name
  member  = local.builder
}

# Cloud Functions copies a function's source into a bucket that it makes itself, one a region, and the
# function's build reads it there.
resource "google_project_iam_member" "builder_reads_function_source" {
  count = var.functions_source == null ? 0 : 1

  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = local.builder

  condition {
    title      = "functions-source-only"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${var.project_number}-\")"
  }
}

locals {
  builder = "serviceAccount:${split("/serviceAccounts/", var.builder_service_account)[1]}"
}
