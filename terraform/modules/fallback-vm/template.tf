module "cloud_init" {
  source = "./cloud-init"

  api_key_secret           = var.api_key_secret
  container_port           = var.container_port
  environment              = var.environment
  failover_settings_object = var.failover_settings_object
  host_ports               = var.public != null && !local.tls ? [var.container_port, 80] : [var.container_port]
  image_object             = "${google_storage_bucket_object.image.bucket}/${google_storage_bucket_object.image.name}"
  secret_environment       = var.secret_environment
  tls_domain               = local.tls ? var.public.domain : null
}

locals {
  tls = var.public == null ? false : var.public.domain != ""
}

resource "google_compute_address" "public" {
  count = var.public == null ? 0 : 1

  project = var.project_id
  name    = var.name
  region  = var.region
  labels  = var.labels
}

resource "google_compute_instance_template" "default" {
  #checkov:skip=CKV_GCP_40:a public address only where it is asked for (enable_public_ip), with the firewall open to allowed_http_ips
  project      = var.project_id
  name_prefix  = "${var.name}-"
  region       = var.region
  machine_type = var.machine_type
  labels       = var.labels

  can_ip_forward = false

  disk {
    source_image = var.boot_image
    boot         = true
    auto_delete  = true
    disk_type    = "pd-balanced"
    disk_size_gb = var.disk_size_gb

    dynamic "disk_encryption_key" {
      for_each = var.kms_key == null ? [] : [var.kms_key]
      content {
        kms_key_self_link = disk_encryption_key.value
      }
    }
  }

  network_interface {
    subnetwork = var.subnetwork_id

    dynamic "access_config" {
      for_each = google_compute_address.public
      content {
        nat_ip = access_config.value.address
      }
    }
  }

  service_account {
    email  = var.service_account_email
    scopes = ["cloud-platform"] # the account's own roles are the limit
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  metadata = {
    block-project-ssh-keys    = "true"
    enable-oslogin            = "TRUE"
    google-logging-enabled    = "true"
    google-monitoring-enabled = "true"
    serial-port-enable        = "false"
    user-data                 = module.cloud_init.user_data
  }

  lifecycle {
    create_before_destroy = true
  }
}
