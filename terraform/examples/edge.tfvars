# Production: HTTPS load balancer with a managed certificate, Cloud Armor, Cloud Run reachable only
# through it, a VM as fallback that the failover function turns to.
project_id   = "my-project"
docker_image = "europe-west1-docker.pkg.dev/my-project/mlops-repo/iris-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"

enable_load_balancer = true
domain               = "api.example.com"
cors_origins         = "https://app.example.com"
min_instances        = 1
functions_archive    = "../build/functions-source.zip"
iap_tunnel_users     = ["group:operators@example.com"]
