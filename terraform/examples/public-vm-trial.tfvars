# A VM with a public address and without a domain: plain HTTP, to one's own address only.
project_id   = "my-project"
docker_image = "europe-west1-docker.pkg.dev/my-project/mlops-repo/iris-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"

enable_public_ip = true
allowed_http_ips = ["203.0.113.7/32"]
allowed_ssh_ips  = ["203.0.113.7/32"]
