# The load balancer without a domain: plain HTTP, keys can be read on the way. For trials only.
project_id   = "my-project"
docker_image = "europe-west1-docker.pkg.dev/my-project/mlops-repo/iris-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"

enable_load_balancer = true

# As 1.x's tfvars have them; the firewall opens the VM to these ranges anyway, and to no others.
enable_public_ip = false
allowed_http_ips = ["130.211.0.0/22", "35.191.0.0/16"]
allowed_ssh_ips  = []
