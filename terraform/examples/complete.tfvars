# Everything on: a second region, one's own encryption keys, Redis, MLflow server, GKE, monitoring,
# predictions in BigQuery, a budget.
project_id   = "my-project"
docker_image = "europe-west1-docker.pkg.dev/my-project/mlops-repo/iris-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"

enable_load_balancer = true
domain               = "api.example.com"
secondary_region     = "europe-west4"
min_instances        = 1
max_instances        = 10
deletion_protection  = true
tags                 = { environment = "production" }

functions_archive   = "../build/functions-source.zip"
failback            = "automatic"
retraining_schedule = "0 3 * * 1"
repository          = "projects/my-project/locations/europe-west1/connections/github/repositories/mlops-core"

enable_kms_encryption    = true
enable_redis             = true
enable_mlflow_server     = true
mlflow_image             = "europe-west1-docker.pkg.dev/my-project/mlops-repo/iris-api-pipeline@sha256:0000000000000000000000000000000000000000000000000000000000000000"
mlflow_users             = ["group:ml@example.com"]
enable_gke               = true
enable_prediction_sink   = true
enable_monitoring_alerts = true
notification_channels    = ["email:oncall@example.com", "pubsub:alerts"]

billing_account = "012345-6789AB-CDEF01"
budget_amount   = 300
