# Whether there are keys of one's own is decided once.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project_id = "iris-test"
}

run "begins_without_keys_of_ones_own" {}

run "applies_again_with_the_same_choice" {
  command = plan

  assert {
    condition     = length(module.kms) == 0
    error_message = "what was chosen first holds"
  }
}

run "refuses_to_turn_them_on_later" {
  command = plan

  variables {
    enable_kms_encryption = true
  }

  expect_failures = [terraform_data.encryption]
}
