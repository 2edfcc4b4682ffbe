# The functions' source. Its name holds its content's hash, so that a change makes a new deployment.
resource "google_storage_bucket_object" "functions" {
  count = var.functions_archive == "" ? 0 : 1

  bucket = google_storage_bucket.default["builds"].name
  name   = "functions/${filesha256(var.functions_archive)}.zip"
  source = var.functions_archive
}
