mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project_id = "iris-test"
}

run "builds_the_foundation_without_an_image" {
  command = plan
}
