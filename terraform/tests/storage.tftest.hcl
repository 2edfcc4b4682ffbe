# Buckets and registry: nothing is public, and nothing that still counts is deleted.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project_id = "iris-test"
  region     = "europe-west1"
}

run "buckets_are_private_and_keep_what_counts" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    models_bucket     = "iris-test-ml-models"
    force_destroy     = false
    functions_archive = ""
    members = {
      builder   = "serviceAccount:mlops-builder-sa@iris-test.iam.gserviceaccount.com"
      functions = "serviceAccount:mlops-functions-sa@iris-test.iam.gserviceaccount.com"
      runtime   = "serviceAccount:mlops-api-sa@iris-test.iam.gserviceaccount.com"
      vm        = "serviceAccount:mlops-vm-sa@iris-test.iam.gserviceaccount.com"
    }
  }

  assert {
    condition = toset([for bucket in google_storage_bucket.default : bucket.name]) == toset([
      "iris-test-dvc-cache", "iris-test-logs", "iris-test-ml-models", "iris-test_cloudbuild",
    ])
    error_message = "The buckets have the names that users' scripts rely on."
  }

  assert {
    condition = alltrue([
      for bucket in google_storage_bucket.default :
      bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access && one(bucket.versioning).enabled
    ])
    error_message = "No bucket can be made public, and each keeps what was overwritten."
  }

  assert {
    condition = alltrue(flatten([
      for key in ["dvc", "models"] : [
        for rule in google_storage_bucket.default[key].lifecycle_rule :
        one(rule.action).type != "Delete" || one(rule.condition).with_state == "ARCHIVED"
      ]
    ]))
    error_message = "No rule deletes a model or data that is current, however old: it may be the champion."
  }

  assert {
    condition = alltrue([
      for rule in google_storage_bucket.default["builds"].lifecycle_rule :
      one(rule.condition).matches_prefix == tolist(["source/"]) if one(rule.condition).with_state == "LIVE"
    ])
    error_message = "Builds' sources go, the functions' stays as long as Terraform names it."
  }

  assert {
    condition = alltrue([
      for key, bucket in google_storage_bucket.default : one(bucket.logging[*].log_bucket) == (key == "logs" ? null : "iris-test-logs")
    ])
    error_message = "Who reads a bucket is logged."
  }

  assert {
    condition = alltrue([
      for name, binding in google_storage_bucket_iam_member.default :
      binding.role == (endswith(name, "/builder") ? "roles/storage.objectUser" : "roles/storage.objectViewer")
    ])
    error_message = "Only builds write; what serves only reads."
  }

  assert {
    condition     = alltrue([for bucket in google_storage_bucket.default : !bucket.force_destroy && length(bucket.encryption) == 0])
    error_message = "A bucket with objects in it is not deleted, unless that is asked for."
  }

  assert {
    condition     = output.functions_object == null
    error_message = "Without an archive there is no functions' source."
  }
}

run "buckets_are_encrypted_and_hold_the_functions_source_when_asked" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    models_bucket     = "mine"
    force_destroy     = true
    functions_archive = "tests/functions.zip"
    kms_key           = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/storage"
    members           = { builder = "group:b@example.com", functions = "group:f@example.com", runtime = "group:r@example.com", vm = "group:v@example.com" }
  }

  assert {
    condition = alltrue([
      for bucket in google_storage_bucket.default :
      one(bucket.encryption).default_kms_key_name == "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/storage"
    ])
    error_message = "Each bucket is encrypted with the given key."
  }

  assert {
    condition     = can(regex("^functions/[0-9a-f]{64}[.]zip$", google_storage_bucket_object.functions[0].name))
    error_message = "Another content is another object, so that functions are deployed anew."
  }
}

run "registry_keeps_the_last_images_and_is_private" {
  command = plan

  module {
    source = "./modules/registry"
  }

  variables {
    readers = { runtime = "serviceAccount:mlops-api-sa@iris-test.iam.gserviceaccount.com" }
    writers = { builder = "serviceAccount:mlops-builder-sa@iris-test.iam.gserviceaccount.com" }
  }

  assert {
    condition = one([
      for policy in google_artifact_registry_repository.default.cleanup_policies :
      one(policy.most_recent_versions).keep_count if policy.action == "KEEP"
    ]) == 20
    error_message = "The last images are kept, however old."
  }

  assert {
    condition     = one(google_artifact_registry_repository.default.vulnerability_scanning_config).enablement_config == "INHERITED"
    error_message = "Images are scanned."
  }

  assert {
    condition = alltrue([
      for binding in concat(
        values(google_artifact_registry_repository_iam_member.readers), values(google_artifact_registry_repository_iam_member.writers)
      ) : startswith(binding.member, "serviceAccount:")
    ])
    error_message = "Nobody pulls without an identity."
  }
}
