#!/bin/bash
# Before the container starts: its secrets into memory, its image onto the disk. Says what it does, and why it
# failed, in /var/log/startup.log and in the journal.
set -euo pipefail
here=${BASH_SOURCE%/*}
# shellcheck source-path=SCRIPTDIR source=google.sh
source "$here/google.sh"

say() { printf '%s %s\n' "$(date --utc +%FT%TZ)" "$*"; }

fetch_secrets() {
  say "API keys: $API_KEY_SECRET"
  bash "$here/fetch-keys.sh"
  umask 077
  : >/run/mlops-api/secrets.env
  local setting
  for setting in $SECRET_ENVIRONMENT; do # NAME=projects/P/secrets/S
    say "${setting%%=*}: ${setting#*=}"
    printf '%s=%s\n' "${setting%%=*}" "$(read_secret "${setting#*=}")" >>/run/mlops-api/secrets.env
  done
}

# The image that Cloud Build rolled out last, and the one before when nobody can be asked: this machine is what is
# left when much else is down.
fetch_image() {
  local known=/var/lib/mlops-api/image image token
  if image=$(read_object "$IMAGE_OBJECT" | tr --delete '[:space:]') && [[ -n $image ]]; then
    say "image: $image, from gs://$IMAGE_OBJECT"
  else
    image=$(cat "$known")
    say "image: $image, the last one known, since gs://$IMAGE_OBJECT can't be read"
  fi
  token=$(access_token) || say "no access token"
  if ! docker login --username oauth2accesstoken --password-stdin "https://${image%%/*}" <<<"$token" ||
    ! docker pull --quiet "$image"; then
    docker image inspect "$image" >/dev/null || { say "the image can't be pulled, and is not on this machine"; return 1; }
    say "the image can't be pulled; the one on this machine starts"
  fi
  printf '%s\n' "$image" >"$known"
  printf 'IMAGE=%s\n' "$image" >/run/mlops-api/image.env
  docker image prune --all --force --filter until=168h >/dev/null
}

main() {
  say "starting $(hostname)"
  fetch_secrets
  docker network inspect mlops >/dev/null 2>&1 || docker network create mlops >/dev/null
  fetch_image
  say "ready to run the container"
}

main 2>&1 | tee --append /var/log/startup.log
