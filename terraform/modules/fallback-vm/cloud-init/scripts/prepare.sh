#!/bin/bash
# Before the container starts: its secrets into memory, its image onto the disk. Says what it does, and why it
# failed, in /var/log/startup.log and in the journal.
set -euo pipefail
here=${BASH_SOURCE%/*}
# shellcheck source-path=SCRIPTDIR source=google.sh
source "$here/google.sh"

say() { printf '%s %s\n' "$(date --utc +%FT%TZ)" "$*"; }

secret_settings() {
  local setting value
  for setting in $SECRET_ENVIRONMENT; do # NAME=projects/P/secrets/S
    value=$(read_secret "${setting#*=}") || return 1
    printf '%s=%s\n' "${setting%%=*}" "$value"
  done
}

# Both are kept while the unit restarts, so that it goes on with what is there when nobody can be asked.
fetch_secrets() {
  say "API keys from $API_KEY_SECRET"
  bash "$here/fetch-keys.sh" || [[ -s /run/mlops-api/keys/$API_KEY_NAME ]]
  umask 077
  local settings=/run/mlops-api/secrets.env
  if secret_settings >"$settings.new"; then
    mv --force "$settings.new" "$settings"
  else
    say "not all of $SECRET_ENVIRONMENT can be read"
    [[ -f $settings ]]
  fi
}

# The image that Cloud Build rolled out last, or the last one known when nobody can be asked: this machine is what is
# left when much else is down.
fetch_image() {
  local known=/var/lib/mlops-api/image image previous token
  previous=$(cat "$known" 2>/dev/null || true)
  if ! image=$(read_object "$IMAGE_OBJECT" | tr --delete '[:space:]'); then
    image=$previous
    say "gs://$IMAGE_OBJECT can't be read"
  fi
  [[ -n $image ]] || { say "no image is known: gs://$IMAGE_OBJECT has to name one"; return 1; }
  say "image $image"
  token=$(access_token) || say "no access token"
  if ! docker login --username oauth2accesstoken --password-stdin "https://${image%%/*}" <<<"$token" ||
    ! docker pull --quiet "$image"; then
    say "the image can't be pulled; is it on this machine?"
    docker image inspect --format '{{.Id}}' "$image"
  fi
  printf '%s\n' "$image" >"$known"
  printf 'IMAGE=%s\n' "$image" >/run/mlops-api/image.env
  if [[ -n $previous && $previous != "$image" ]]; then docker image rm "$previous" >/dev/null || true; fi
}

main() {
  say "starting $(hostname)"
  fetch_secrets
  docker network inspect mlops >/dev/null 2>&1 || docker network create mlops >/dev/null
  fetch_image
  say "ready to run the container"
}

main 2>&1 | tee --append /var/log/startup.log
