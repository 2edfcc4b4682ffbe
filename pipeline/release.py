"""Stage release: make the candidate the bundle in models/, if it passed the gate."""

from pathlib import Path

import msgspec

from functions.bundle.files import METADATA_FILE, METRICS_FILE, MODEL_FILE, Bundle, digest
from pipeline import console
from pipeline.errors import BrokenBundle, GateFailed
from pipeline.gate import Gate, failures
from pipeline.install import install
from pipeline.paths import CANDIDATE, GATE, METRICS, MODELS


def main() -> str:
    """Release artifacts/candidate into models/ and say so."""
    bundle = release(CANDIDATE, METRICS, GATE, MODELS)
    return f"{MODELS}: released version {bundle.metadata.version}"


def release(candidate: Path, metrics: Path, gate: Path, models: Path) -> Bundle:
    """Install candidate and metrics as the bundle in `models`.

    Raises:
        GateFailed: a check of the gate did not pass; `models` is as it was.
        BrokenBundle: a file is missing, or is not that of the model that was judged; likewise.
    """
    decision, model = _read_gate(gate), _read(candidate / MODEL_FILE)
    if decision.model_sha256 != digest(model):
        raise BrokenBundle(f"{gate} judges another model than {candidate / MODEL_FILE}; run `dvc repro`")
    if not decision.passed:
        raise GateFailed(
            f"the candidate did not pass the gate, and {models}/ is as it was: {'; '.join(failures(decision))}. "
            f"Improve the model or the data, or set other floors and margins (evaluate in params.yaml); see {gate}"
        )
    files = {MODEL_FILE: model, METADATA_FILE: _read(candidate / METADATA_FILE), METRICS_FILE: _read(metrics)}
    return install(files, models)


def _read_gate(path: Path) -> Gate:
    try:
        return msgspec.json.decode(_read(path), type=Gate)
    except msgspec.DecodeError as error:
        raise BrokenBundle(f"{path}: {error}; run `dvc repro --force evaluate`") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BrokenBundle(f"{path}: {error.strerror}; run `dvc repro`") from error


if __name__ == "__main__":
    console.run(main)
