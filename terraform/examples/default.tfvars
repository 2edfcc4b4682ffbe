# The first deployment: Cloud Run over HTTPS on its own run.app address. Scales to zero.
project_id   = "my-project"
docker_image = "europe-west1-docker.pkg.dev/my-project/mlops-repo/iris-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"
