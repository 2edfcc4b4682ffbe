# The VM: a group behind the load balancer, or a single one in public; the same image as Cloud Run, rolled by Cloud Build.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id            = "iris-test"
  region                = "europe-west1"
  zone                  = "europe-west1-b"
  name                  = "iris-api-server"
  machine_type          = "e2-small"
  max_instances         = 3
  boot_image            = "projects/cos-cloud/global/images/family/cos-stable"
  disk_size_gb          = 20
  subnetwork_id         = "subnet"
  service_account_email = "mlops-vm-sa@iris-test.iam.gserviceaccount.com"
  image                 = "europe-west1-docker.pkg.dev/iris-test/mlops-repo/iris-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  models_bucket         = "iris-test-ml-models"
  container_port        = 8000
  environment           = { API_KEY_FILE = "/etc/iris-api/keys/api-key", ENVIRONMENT = "production" }
  api_key_secret        = "projects/iris-test/secrets/mlops-api-key"
  roller_role           = "projects/iris-test/roles/mlopsVmRoller"
  roller                = "serviceAccount:mlops-builder-sa@iris-test.iam.gserviceaccount.com"
}

run "has_no_public_address_behind_the_load_balancer" {
  module {
    source = "./modules/fallback-vm"
  }

  assert {
    condition     = length(google_compute_instance_template.default.network_interface[0].access_config) == 0 && output.external_ip == null
    error_message = "only the load balancer and IAP reach it"
  }

  assert {
    condition     = output.vm_zone == "europe-west1"
    error_message = "a group is in all of its region"
  }

  assert {
    condition = alltrue([
      for shield in google_compute_instance_template.default.shielded_instance_config :
      shield.enable_secure_boot && shield.enable_vtpm && shield.enable_integrity_monitoring
    ])
    error_message = "it is shielded"
  }

  assert {
    condition     = google_compute_instance_template.default.metadata["enable-oslogin"] == "TRUE" && google_compute_instance_template.default.metadata["block-project-ssh-keys"] == "true"
    error_message = "who may log in is said by IAM"
  }

  assert {
    condition     = !google_compute_instance_template.default.can_ip_forward && google_compute_instance_template.default.service_account[0].email == var.service_account_email
    error_message = "it runs as its own account"
  }
}

run "rolls_without_losing_capacity" {
  module {
    source = "./modules/fallback-vm"
  }

  assert {
    condition = alltrue([
      for policy in google_compute_region_instance_group_manager.default.update_policy :
      policy.minimal_action == "REPLACE" && policy.max_surge_fixed == 3 && policy.max_unavailable_fixed == 0
    ])
    error_message = "what Cloud Build rolls with (docs/failover.md)"
  }

  assert {
    condition     = google_storage_bucket_object.image.name == "deployment/vm-image.txt" && trimspace(google_storage_bucket_object.image.content) == var.image
    error_message = "the first image is the one that was given"
  }

  assert {
    condition     = !strcontains(google_compute_instance_template.default.metadata["user-data"], "sha256:0000")
    error_message = "the image is no part of the template, or each roll would be a change for Terraform"
  }

  assert {
    condition     = google_project_iam_member.roller.role == var.roller_role && google_project_iam_member.roller.member == var.roller
    error_message = "the builder may roll the group"
  }
}

run "heals_and_scales" {
  module {
    source = "./modules/fallback-vm"
  }

  assert {
    condition     = google_compute_health_check.healing.http_health_check[0].request_path == "/health/ready" && google_compute_health_check.healing.http_health_check[0].port == 8000
    error_message = "a VM without a model is made anew"
  }

  assert {
    condition     = google_compute_region_instance_group_manager.default.auto_healing_policies[0].health_check == google_compute_health_check.healing.id
    error_message = "the group heals by that check"
  }

  assert {
    condition     = google_compute_region_autoscaler.default[0].autoscaling_policy[0].min_replicas == 1 && google_compute_region_autoscaler.default[0].autoscaling_policy[0].max_replicas == 3
    error_message = "one stands ready, three at most"
  }

  assert {
    condition     = output.port_name == "http" && one(google_compute_region_instance_group_manager.default.named_port).port == 8000
    error_message = "the load balancer finds the service's port by name"
  }
}

run "keeps_address_and_disk_in_public" {
  module {
    source = "./modules/fallback-vm"
  }

  variables {
    public = { domain = "api.example.com" }
  }

  assert {
    condition     = google_compute_instance_template.default.network_interface[0].access_config[0].nat_ip == output.external_ip && output.url == "https://api.example.com"
    error_message = "a reserved address, which the domain points at"
  }

  assert {
    condition = alltrue([
      for policy in google_compute_region_instance_group_manager.default.update_policy :
      policy.minimal_action == "RESTART" && policy.max_surge_fixed == 0 && policy.max_unavailable_fixed == 3 && policy.replacement_method == "RECREATE"
    ])
    error_message = "a second VM could not have the address, and a replaced one would have no certificate"
  }

  assert {
    condition     = google_compute_region_instance_group_manager.default.target_size == 1 && length(google_compute_region_autoscaler.default) == 0
    error_message = "exactly one"
  }

  assert {
    condition     = google_compute_region_instance_group_manager.default.distribution_policy_zones == toset(["europe-west1-b"]) && output.vm_zone == "europe-west1-b"
    error_message = "in the zone that was asked for"
  }

  assert {
    condition     = strcontains(google_compute_instance_template.default.metadata["user-data"], "mlops-caddy.service")
    error_message = "Caddy terminates TLS"
  }
}

run "answers_plain_http_in_public_without_a_domain" {
  module {
    source = "./modules/fallback-vm"
  }

  variables {
    public = { domain = "" }
  }

  assert {
    condition     = output.url == "http://203.0.113.20:8000"
    error_message = "users of 1.x know port 8000"
  }

  assert {
    condition     = !strcontains(google_compute_instance_template.default.metadata["user-data"], "caddy")
    error_message = "no TLS without a domain"
  }

  assert {
    condition     = strcontains(google_compute_instance_template.default.metadata["user-data"], "--publish 8000:8000 --publish 80:8000")
    error_message = "both ports that the firewall opens"
  }
}

run "encrypts_its_disk_with_a_key_of_ones_own" {
  module {
    source = "./modules/fallback-vm"
  }

  variables {
    kms_key = "projects/iris-test/locations/europe-west1/keyRings/mlops/cryptoKeys/disks"
  }

  assert {
    condition     = google_compute_instance_template.default.disk[0].disk_encryption_key[0].kms_key_self_link == var.kms_key
    error_message = "the disk has the key"
  }
}
