output "buckets" {
  description = "Names of the buckets: builds, dvc, logs, models."
  value       = { for key, bucket in google_storage_bucket.default : key => bucket.name }
}

output "functions_object" {
  description = "Where the functions' source is: bucket and name. null when there is none."
  value       = one([for object in google_storage_bucket_object.functions : { bucket = object.bucket, name = object.name }])
}

output "urls" {
  description = "gs:// addresses of the buckets."
  value       = { for key, bucket in google_storage_bucket.default : key => "gs://${bucket.name}" }
}
