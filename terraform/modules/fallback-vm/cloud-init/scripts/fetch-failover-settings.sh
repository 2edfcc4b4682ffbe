#!/bin/bash
# The failover's settings, which change with the switch's position; the last ones known when nobody can be asked.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=google.sh
source "${BASH_SOURCE%/*}/google.sh"

settings=/var/lib/mlops-api/failover.env
umask 077
if read_object "$FAILOVER_SETTINGS_OBJECT" >"$settings.new"; then
  mv --force "$settings.new" "$settings"
fi
[[ -s $settings ]]
