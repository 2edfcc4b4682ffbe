"""Stage evaluate: judge the exported model, and the champion beside it, on the test rows.

What MLflow shows of the same test was logged by the train stage, through the same functions. So
this stage needs neither MLflow nor scikit-learn, and works where the run's store is out of reach.
"""

import shutil
from pathlib import Path

from functions.bundle.files import BundleError, Candidate, digest, encode, read_candidate
from functions.bundle.metadata import Metrics
from functions.bundle.runtime import Classifier, load_classifier
from pipeline import console
from pipeline.assessment import Assessment, assess, decide
from pipeline.errors import BrokenBundle
from pipeline.gate import Comparison, Gate, failures, floor_checks, incomparable, non_inferiority_checks, split_notes
from pipeline.install import holds_bundle, load_bundle
from pipeline.metrics import Ints, evaluate
from pipeline.params import EvaluateParams, read_params
from pipeline.paths import CANDIDATE, CHAMPION, GATE, METRICS, PLOTS, PROCESSED
from pipeline.plots import plot_data
from pipeline.table import Table, read_split


def main() -> str:
    """Judge artifacts/candidate, write metrics, gate and plots, and say how it went."""
    params = read_params()
    seed = params.data.random_state
    _, test = read_split(PROCESSED)
    candidate, classifier = load_candidate(CANDIDATE)
    assessment = assess(classifier, test, candidate.metadata.target_names, params.evaluate.importance_repeats, seed)
    metrics = evaluate(
        assessment.truth,
        assessment.predicted,
        assessment.class_keys,
        confidence=params.evaluate.confidence,
        resamples=params.evaluate.resamples,
        seed=seed,
    )
    champion = load_bundle(CHAMPION) if holds_bundle(CHAMPION) else None
    gate = judge(candidate, metrics, assessment, test, champion, params.evaluate, seed)
    METRICS.write_bytes(encode(metrics))
    GATE.write_bytes(encode(gate))
    _write_plots(plot_data(assessment))
    return _summary(metrics, gate)


def load_candidate(folder: Path) -> tuple[Candidate, Classifier]:
    """Read the trained model and let it answer its golden examples.

    Raises:
        BrokenBundle: it is damaged.
    """
    try:
        candidate = read_candidate(folder)
        return candidate, load_classifier(candidate)
    except BundleError as error:
        raise BrokenBundle(f"{error}; run `dvc repro --force train`") from error


def judge(
    candidate: Candidate,
    metrics: Metrics,
    assessment: Assessment,
    test: Table,
    champion: Candidate | None,
    evaluate: EvaluateParams,
    seed: int,
) -> Gate:
    """The gate's decision on the candidate, against the floors and, where it can be, the champion."""
    checks = floor_checks(metrics, evaluate)
    comparison = compare(candidate, champion)
    if champion is not None and comparison.comparable:
        theirs = answers(champion, test)
        classes = len(assessment.class_keys)
        checks += non_inferiority_checks(assessment.truth, assessment.predicted, theirs, classes, evaluate, seed)
    return Gate(
        passed=all(check.passed for check in checks),
        model_sha256=digest(candidate.model),
        n_samples=len(assessment.truth),
        confidence=evaluate.confidence,
        champion=comparison,
        checks=checks,
    )


def compare(candidate: Candidate, champion: Candidate | None) -> Comparison:
    """Whether the champion can be judged on the candidate's test rows."""
    if champion is None:
        return Comparison(comparable=False, reason=f"there is no champion in {CHAMPION}/")
    reason = incomparable(candidate.metadata, champion.metadata)
    notes = [] if reason else split_notes(candidate.metadata, champion.metadata)
    return Comparison(comparable=reason is None, reason=reason, version=champion.metadata.version, notes=notes)


def answers(bundle: Candidate, test: Table) -> Ints:
    """The bundle's predictions for the test rows, as class indices."""
    return decide(load_classifier(bundle).probabilities(test.values.astype("float32")))


def _write_plots(files: dict[str, bytes]) -> None:
    shutil.rmtree(PLOTS, ignore_errors=True)
    PLOTS.mkdir(parents=True)
    for name, content in files.items():
        (PLOTS / name).write_bytes(content)


def _summary(metrics: Metrics, gate: Gate) -> str:
    champion = f"compared with champion {gate.champion.version}" if gate.champion.comparable else gate.champion.reason
    lines = [
        f"accuracy {metrics.accuracy:.4f}, F1 {metrics.f1_score:.4f} on {metrics.n_samples} test rows; {champion}",
        *gate.champion.notes,
        "the gate is passed" if gate.passed else f"the gate is not passed: {'; '.join(failures(gate))}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    console.run(main)
