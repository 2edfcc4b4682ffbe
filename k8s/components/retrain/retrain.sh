#!/usr/bin/env bash
# Runs the pipeline of the image in a folder that can be written to, and promotes what passes the gate.
set -euo pipefail

project=${PROJECT_FOLDER:-/app}
work=${WORK_FOLDER:-/workspace}/project

mkdir -p "$work"
tar -C "$project" --exclude=.venv --exclude=.git -cf - . | tar -C "$work" -xf -
cd "$work"

# There is no Git checkout here.
[ -d .dvc ] || dvc init --quiet --no-scm
dvc config core.no_scm true
dvc remote add --quiet --force --default gcs "$DVC_REMOTE"

if [ -n "${DATA_SOURCE:-}" ]; then
  python - "$DATA_SOURCE" <<'PYTHON'
import pathlib, sys, yaml
path = pathlib.Path("params.yaml")
params = yaml.safe_load(path.read_text())
params["data"]["source"] = sys.argv[1]
path.write_text(yaml.safe_dump(params, sort_keys=False))
PYTHON
fi

# The model to beat is the one that serves.
python -m pipeline.fetch "$MODELS_URI"
# What an earlier run did with the same inputs is taken from there; the first run finds nothing.
dvc fetch --run-cache || echo "going on without a run cache from $DVC_REMOTE"
dvc repro --pull
dvc push --run-cache
python -m pipeline.promote --to "$MODELS_URI"
