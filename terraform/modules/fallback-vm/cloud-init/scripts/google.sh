# shellcheck shell=bash
# What the scripts of this machine ask Google for, as the VM's service account: nothing but curl is needed.

metadata=http://metadata.google.internal/computeMetadata/v1
secrets=https://secretmanager.googleapis.com/v1
storage=https://storage.googleapis.com

# Tried three times, then given up soon: this machine has to start while much else is down.
fetch() {
  curl --fail --silent --show-error --retry 2 --retry-connrefused --connect-timeout 3 --max-time 10 "$@"
}

# The value of one string in a JSON answer.
json_string() {
  sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"
}

access_token() {
  fetch --header 'Metadata-Flavor: Google' "$metadata/instance/service-accounts/default/token" | json_string access_token
}

# GET with the token, which goes through a pipe: arguments can be read by every process.
fetch_as_vm() {
  local token
  token=$(access_token)
  printf 'Authorization: Bearer %s\n' "$token" | fetch --header @- "$1"
}

# read_secret projects/P/secrets/S: its newest version.
read_secret() {
  fetch_as_vm "$secrets/$1/versions/latest:access" | json_string data | base64 --decode
}

# read_object BUCKET/NAME
read_object() {
  fetch_as_vm "$storage/$1"
}
