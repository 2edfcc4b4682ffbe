"""What a bundle says about its model: features, classes, origin, golden examples, metrics.

The structures are decoded with their types checked; `check_metadata` adds what types can't say.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

FORMAT = 1
"""Version of the bundle's layout; a reader refuses any other."""

FLOAT32_MAX = 3.4028234663852886e38

Label = bool | int | str
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Counts = list[Annotated[int, msgspec.Meta(ge=0)]]


class InvalidMetadata(ValueError):
    """The metadata contradicts itself; the message names the field and the fault."""


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Training values of one feature, counted in bins.

    `edges` are the inner bin edges, ascending; bin i holds values in (edges[i-1], edges[i]], the
    first and last bin are open to the outside, so `counts` has one element more than `edges`.
    """

    edges: list[float]
    counts: Counts
    missing: Annotated[int, msgspec.Meta(ge=0)] = 0


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One input column of the model.

    `bounds` are inclusive; `nullable` says that the pipeline imputes a missing value.
    """

    name: Annotated[str, msgspec.Meta(min_length=1)]
    dtype: Literal["float32"] = "float32"
    bounds: tuple[float, float]
    nullable: bool = False
    reference: Distribution


class GoldenExample(msgspec.Struct, frozen=True, kw_only=True):
    """A row with the answer that the model gave when it was trained."""

    instance: dict[str, float | None]
    prediction: Label
    probabilities: list[float]


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """All that a service or a person needs to know of a model, beside the model itself.

    `target_names` are the classes in the order of the probabilities, `target_reference` how often
    the model predicted each on its training rows. `model_artifact_path` is the folder of model.onnx
    relative to MLflow's artifact root.
    """

    format: int
    name: str
    version: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    task: Literal["classification"]
    features: Annotated[list[Feature], msgspec.Meta(min_length=1)]
    target: str
    target_names: Annotated[list[Label], msgspec.Meta(min_length=2)]
    target_reference: Counts
    model_type: str
    params: dict[str, Any]
    n_features: int
    n_samples: Annotated[int, msgspec.Meta(ge=1)]
    mlflow_run_id: str
    mlflow_experiment_name: str
    model_artifact_path: str
    created_at: str
    git_commit: str | None
    data_digest: Digest
    libraries: dict[str, str]
    golden_examples: Annotated[list[GoldenExample], msgspec.Meta(min_length=1)]
    model_sha256: Digest

    @property
    def feature_names(self) -> list[str]:
        """The features' names in the order of the model's input columns."""
        return [feature.name for feature in self.features]

    @property
    def target_keys(self) -> list[str]:
        """The classes as JSON object keys, in the order of the probabilities."""
        return [label_key(label) for label in self.target_names]


class ClassMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of one class against all others; `support` is its number of test rows."""

    precision: float
    recall: float
    f1_score: float
    support: int


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Scores on the held-out rows. Precision, recall and F1 are weighted by support.

    `confusion_matrix[i][j]` counts rows of true class i that were predicted as class j, in the
    order of `target_names`; `confidence_intervals` maps a score to its lower and upper bound.
    """

    accuracy: float
    precision: float
    recall: float
    f1_score: float
    n_samples: int
    per_class: dict[str, ClassMetrics]
    confusion_matrix: list[list[int]]
    confidence_intervals: dict[str, tuple[float, float]]


def label_key(label: Label) -> str:
    """A class label as the key of a JSON object: true, false, 7, setosa."""
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label)


def check_metadata(metadata: Metadata) -> None:
    """Check what the types can't say.

    Raises:
        InvalidMetadata: at the first field that contradicts another.
    """
    names = metadata.feature_names
    _require(metadata.n_features == len(names), "n_features", f"is not {len(names)}, the number of features")
    _require_unique("features", names)
    _require_unique("target_names", metadata.target_keys)
    classes = len(metadata.target_names)
    _require(len(metadata.target_reference) == classes, "target_reference", f"has not {classes} elements")
    for feature in metadata.features:
        low, high = feature.bounds
        where = f"features[{feature.name!r}]"
        _require(-FLOAT32_MAX <= low < high <= FLOAT32_MAX, f"{where}.bounds", "are not a low and a high float32")
        edges, counts = feature.reference.edges, feature.reference.counts
        _require(len(counts) == len(edges) + 1, f"{where}.reference", "has not one count more than edges")
        _require(edges == sorted(set(edges)), f"{where}.reference.edges", "are not ascending")
    for index, example in enumerate(metadata.golden_examples):
        where = f"golden_examples[{index}]"
        _require(set(example.instance) == set(names), where, "has other features than the model")
        _require(len(example.probabilities) == classes, where, f"has not {classes} probabilities")
        _require(
            label_key(example.prediction) in metadata.target_keys, where, "predicts a class that is not the model's"
        )


def _require(condition: bool, field: str, fault: str) -> None:
    if not condition:
        raise InvalidMetadata(f"{field} {fault}")


def _require_unique(field: str, values: Sequence[str]) -> None:
    repeated = sorted({value for value in values if values.count(value) > 1})
    _require(not repeated, field, f"repeat {', '.join(map(repr, repeated))}")
