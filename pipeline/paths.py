"""Where the stages keep their files, below the project's root. dvc.yaml names the same."""

from pathlib import Path

PROCESSED = Path("data/processed")
CANDIDATE = Path("artifacts/candidate")
METRICS = Path("artifacts/metrics.json")
GATE = Path("artifacts/gate.json")
PLOTS = Path("artifacts/plots")
MODELS = Path("models")
CHAMPION = Path("champion")
