"""The only reader of params.yaml: typed, bounded, and without a second copy of any default."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta

from functions.bundle.metadata import FLOAT32_MAX
from pipeline.errors import InvalidParams

PARAMS_FILE = Path("params.yaml")

Share = Annotated[float, Meta(gt=0, lt=1)]
Score = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(min_length=1)]
Bound = Annotated[float, Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX)]


class DataParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which data, how it is split, and what is done to features before the estimator sees them."""

    source: Annotated[Name, Meta(description="CSV or Parquet file: a path, or a gs:// URI")]
    target: Annotated[Name, Meta(description="column that holds the class labels")]
    test_size: Annotated[Share, Meta(description="share of rows that are held out for the test")]
    random_state: Annotated[
        int, Meta(ge=0, lt=2**32, description="seed of split, estimator, parity rows and bootstrap")
    ]
    min_rows_per_class: Annotated[int, Meta(ge=1, description="fewest rows of each class on each side of the split")]
    bounds: Annotated[
        dict[str, tuple[Bound, Bound]],
        Meta(description="lowest and highest value that the service accepts, for each feature that has such limits"),
    ]
    bounds_margin: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="other features: training range, widened on each side by so many widths; null: any float32"),
    ]
    impute: Annotated[
        Literal["mean", "median", "most_frequent"] | None,
        Meta(description="mean, median or most_frequent replaces a missing value; null: missing values are refused"),
    ]
    scale: Annotated[bool, Meta(description="standardise the features (for linear models; trees need none)")]


class TrainParams(msgspec.Struct, frozen=True, kw_only=True):
    """The estimator's import path and the arguments for it."""

    estimator: str
    arguments: dict[str, Any]


class ExportParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How hard the exported model is compared with the fitted one."""

    random_rows: Annotated[int, Meta(ge=0, le=1_000_000, description="random rows on which both must agree")]


class Floors(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lowest scores that are good enough, whatever the champion reaches."""

    accuracy: Annotated[Score, Meta(description="lowest accuracy that passes")]
    f1_score: Annotated[Score, Meta(description="lowest weighted F1 score that passes")]


class Margins(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much worse than the champion the candidate may be."""

    accuracy: Annotated[Score, Meta(description="accuracy that the candidate may lose against the champion")]
    f1_score: Annotated[Score, Meta(description="weighted F1 score that it may lose")]


class EvaluateParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the candidate must reach, and how scores are estimated."""

    floors: Floors
    margins: Margins
    confidence: Annotated[float, Meta(ge=0.5, lt=1, description="confidence of intervals and of non-inferiority")]
    resamples: Annotated[int, Meta(ge=100, le=100_000, description="bootstrap resamples")]
    importance_repeats: Annotated[int, Meta(ge=1, le=1000, description="permutations per feature for its importance")]


class TrackingParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names in MLflow."""

    experiment: Annotated[Name, Meta(description="MLflow experiment of the runs")]
    registered_model: Annotated[Name, Meta(description="MLflow registered model, and the bundle's name")]


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """All of params.yaml."""

    data: DataParams
    train: TrainParams
    export: ExportParams
    evaluate: EvaluateParams
    tracking: TrackingParams


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    data: DataParams
    train: dict[str, Any]
    export: ExportParams
    evaluate: EvaluateParams
    tracking: TrackingParams


def read_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check params.yaml.

    Raises:
        InvalidParams: the file is missing or no YAML, or a key is unknown, missing or unacceptable.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidParams(f"{path}: {error.strerror}; run from the project's root") from error
    except yaml.YAMLError as error:
        raise InvalidParams(f"{path} is not YAML: {error}") from error
    return parse_params(content)


def parse_params(content: object) -> Params:
    """Check the decoded content of params.yaml.

    Raises:
        InvalidParams: a key is unknown, missing or unacceptable.
    """
    try:
        document = msgspec.convert(content, _Document)
    except msgspec.ValidationError as error:
        raise InvalidParams(_explain(str(error))) from error
    for column, (low, high) in document.data.bounds.items():
        if not low < high:
            raise InvalidParams(f"data.bounds.{column}: {low:g} is not below {high:g}; write [lowest, highest]")
    arguments = dict(document.train)
    estimator = arguments.pop("estimator", None)
    if not isinstance(estimator, str):
        raise InvalidParams(
            "train.estimator is missing or no text; write the import path of a scikit-learn classifier, "
            "such as sklearn.ensemble.RandomForestClassifier"
        )
    return Params(
        data=document.data,
        train=TrainParams(estimator=estimator, arguments=arguments),
        export=document.export,
        evaluate=document.evaluate,
        tracking=document.tracking,
    )


def describe(section: type[msgspec.Struct] = _Document, prefix: str = "") -> dict[str, str]:
    """Each key (section.key) with its description, sections of one's own keys left out."""
    found: dict[str, str] = {}
    for field in msgspec.inspect.type_info(section).fields:  # type: ignore[attr-defined]
        kind = field.type
        if isinstance(kind, msgspec.inspect.StructType):
            found |= describe(kind.cls, f"{prefix}{field.name}.")
        elif isinstance(kind, msgspec.inspect.Metadata):
            found[prefix + field.name] = (kind.extra_json_schema or {}).get("description", "")
    return found


_ERROR = re.compile(r"(?P<reason>.*?)(?: - at `\$\.?(?P<where>.*)`)?", re.DOTALL)
_FIELD = re.compile(r"Object (?P<fault>contains unknown|missing required) field `(?P<key>.*)`", re.DOTALL)


def _explain(message: str) -> str:
    """A message of msgspec as one that names section.key, the fault and the remedy."""
    found = _ERROR.fullmatch(message)
    reason, where = (found["reason"], found["where"] or "") if found else (message, "")
    field = _FIELD.fullmatch(reason)
    if field is None:
        meaning = describe().get(where.removesuffix("[...]"))
        remedy = f"correct the value ({meaning})" if meaning else "correct the value"
        return f"params.yaml: {where or 'the file'}: {reason[0].lower()}{reason[1:]}; {remedy}"
    key = f"{where}.{field['key']}" if where else field["key"]
    if field["fault"] == "missing required":
        meaning = describe().get(key)
        return f"params.yaml: {key} is missing; add it" + (f" ({meaning})" if meaning else "")
    return f"params.yaml: {key} is unknown; remove it or correct its name. Known here: {', '.join(_keys(where))}"


def _keys(where: str) -> tuple[str, ...]:
    section: Any = _Document
    for name in filter(None, where.split(".")):
        section = next(field.type for field in msgspec.structs.fields(section) if field.name == name)
    return tuple(field.name for field in msgspec.structs.fields(section))
