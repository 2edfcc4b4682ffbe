# The foundation, which needs no image. What serves is in serving.tf, what is around it in operations.tf.

module "project_services" {
  source = "./modules/project-services"

  project_id = var.project_id
  services   = local.services
}

module "identity" {
  source = "./modules/identity"

  project_id       = module.project_services.project_id
  runtime_name     = var.service_account_name
  iap_tunnel_users = var.iap_tunnel_users
  role_suffix      = var.role_suffix
}

module "network" {
  source = "./modules/network"

  project_id         = module.project_services.project_id
  name               = var.network_name
  regions            = local.regions
  service_port       = local.container_port
  vm_service_account = module.identity.emails["vm"]
  http_ranges        = var.enable_public_ip ? var.allowed_http_ips : []
  ssh_ranges         = var.allowed_ssh_ips
  tls                = var.enable_public_ip && var.domain != ""
}

# Remembers the choice of the first apply. Registry and secrets can't change their key: Google would have them deleted,
# with every image, and made anew under names that are still taken.
resource "terraform_data" "encryption" {
  input = jsonencode([var.enable_kms_encryption, var.kms_key_name])

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.output == jsonencode([var.enable_kms_encryption, var.kms_key_name])
      error_message = "enable_kms_encryption and kms_key_name can't change once something is built: set them back (docs/infrastructure.md#encryption-keys)."
    }
  }
}

module "kms" {
  source = "./modules/kms"
  count  = var.enable_kms_encryption ? 1 : 0

  project_id     = module.project_services.project_id
  project_number = module.project_services.project_number
  region         = var.region
  key_name       = var.kms_key_name
  labels         = local.labels
}

module "secrets" {
  source = "./modules/secrets"

  project_id    = module.project_services.project_id
  region        = var.region
  secret_id     = var.secret_manager_api_key_name
  create        = var.create_secret_manager_secret
  value         = var.api_key_value
  value_version = var.api_key_version
  kms_key       = lookup(local.kms_keys, "secrets", null)
  labels        = local.labels

  accessors = {
    for key in ["builder", "runtime", "vm"] : key => module.identity.members[key] # the builder's smoke test predicts
  }
}

module "storage" {
  source = "./modules/storage"

  project_id        = module.project_services.project_id
  region            = var.region
  models_bucket     = local.models_bucket
  force_destroy     = var.force_destroy_bucket
  functions_archive = var.functions_archive
  members           = module.identity.members
  kms_key           = lookup(local.kms_keys, "storage", null)
  labels            = local.labels
}

module "registry" {
  source = "./modules/registry"

  project_id = module.project_services.project_id
  region     = var.region
  readers    = { vm = module.identity.members["vm"] } # Cloud Run pulls as Google's own agent
  writers    = { builder = module.identity.members["builder"] }
  kms_key    = lookup(local.kms_keys, "registry", null)
  labels     = local.labels
}
