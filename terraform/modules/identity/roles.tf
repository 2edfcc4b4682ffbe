# Roles for what options bring. They are here, whatever the options, because the id of a deleted role can't be used again
# for up to 37 days: an option that is taken out and put back would fail. Who has a role is bound where it is needed.

locals {
  roles = {
    # Compute Engine has no IAM on a single proxy, so the role holds these permissions and no others.
    failover = {
      id    = "mlopsFailover"
      title = "Turns the load balancer between Cloud Run and the VM"
      does  = "Reads proxy, URL maps and the VM's health; sets the proxy's URL map"
      permissions = [
        "compute.backendServices.get",
        "compute.globalOperations.get",
        "compute.targetHttpProxies.get",
        "compute.targetHttpProxies.setUrlMap",
        "compute.targetHttpsProxies.get",
        "compute.targetHttpsProxies.setUrlMap",
        "compute.urlMaps.get",
        "compute.urlMaps.use",
      ]
    }

    # A trigger has no policy of its own, so the right to run one is the project's. The predefined role
    # (cloudbuild.builds.editor) may also cancel and change what others build.
    trigger_runner = {
      id          = "mlopsTriggerRunner"
      title       = "Cloud Build trigger runner"
      does        = "Runs a trigger, and sees which builds ran"
      permissions = ["cloudbuild.builds.create", "cloudbuild.builds.get", "cloudbuild.builds.list"]
    }

    # What a roll needs, and no more: there is no such role, and no IAM on a single group.
    vm_roller = {
      id    = "mlopsVmRoller"
      title = "Rolls the VM group to another image"
      does  = "For Cloud Build: replace or restart the group's instances, and wait for them"
      permissions = [
        "compute.instanceGroupManagers.get",
        "compute.instanceGroupManagers.list",
        "compute.instanceGroupManagers.update",
        "compute.instanceTemplates.get",
        "compute.instanceTemplates.useReadOnly",
        "compute.regionOperations.get",
        "compute.regions.get",
      ]
    }
  }
}

resource "google_project_iam_custom_role" "default" {
  for_each = local.roles

  project     = var.project_id
  role_id     = "${each.value.id}${var.role_suffix}"
  title       = each.value.title
  description = each.value.does
  permissions = each.value.permissions
}
