#!/bin/bash
# Puts the API keys where the container reads them: in memory, for its user alone. The service reads the file
# again, so a rotated key works without a restart.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=google.sh
source "${BASH_SOURCE%/*}/google.sh"

folder=/run/mlops-api/keys
install --directory --mode 0700 --owner 10001 "$folder"
umask 077
read_secret "$API_KEY_SECRET" >"$folder/.new"
chown 10001 "$folder/.new"
mv --force "$folder/.new" "$folder/$API_KEY_NAME"
