# A VM with a public address instead of Cloud Run, with a certificate from Let's Encrypt.
project_id   = "my-project"
docker_image = "europe-west1-docker.pkg.dev/my-project/mlops-repo/iris-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"

enable_public_ip = true
domain           = "api.example.com"
allowed_http_ips = ["0.0.0.0/0"]
iap_tunnel_users = ["me@example.com"]
