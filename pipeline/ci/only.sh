# shellcheck shell=sh
# Read by the steps of cloudbuild.yaml: `only all train` ends a step that is no part of the action.
only() {
  case $_ACTION in
    all | train | deploy | rollback) ;;
    *) echo "error: _ACTION=$_ACTION: is none of all, train, deploy, rollback" >&2 && exit 2 ;;
  esac
  for action; do
    if [ "$action" = "$_ACTION" ]; then return; fi
  done
  echo "no part of _ACTION=$_ACTION"
  exit 0
}
