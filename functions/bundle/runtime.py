"""Running a bundle's model with onnxruntime."""

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from functions.bundle.files import BundleError, Candidate
from functions.bundle.metadata import GoldenExample, Metadata, label_key

if TYPE_CHECKING:
    import onnxruntime

INPUT = "input"
"""Name of the model's input tensor, float32 [rows, features]."""

PROBABILITIES = "probabilities"
"""Name of the model's output tensor, float32 [rows, classes]."""

TOLERANCE = 1e-5
"""How far a probability may be from the one that it was proved against."""

Floats = NDArray[np.float32]


class Classifier:
    """A model in memory. Its prediction for a row is the class with the highest probability."""

    def __init__(self, model: bytes) -> None:
        """Load an ONNX model.

        Raises:
            BundleError: onnxruntime refuses the model, or it is not the pipeline's kind of model.
        """
        self._run = open_session(model).run
        self._outputs = [PROBABILITIES]

    def probabilities(self, rows: Floats) -> Floats:
        """Probability of each class for each row: [rows, features] to [rows, classes]."""
        result: Floats = self._run(self._outputs, {INPUT: rows})[0]
        return result


def open_session(model: bytes) -> "onnxruntime.InferenceSession":
    """An onnxruntime session on one thread: instances scale the service, not threads.

    Raises:
        BundleError: onnxruntime refuses the model, or its input or output has another name.
    """
    # onnxruntime reports to its maker unless this stands in the environment before it is loaded
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no narrower class
        raise BundleError(f"onnxruntime can't load the model: {error}") from error
    inputs = [tensor.name for tensor in session.get_inputs()]
    outputs = [tensor.name for tensor in session.get_outputs()]
    if inputs != [INPUT] or PROBABILITIES not in outputs:
        raise BundleError(
            f"the model has inputs {inputs} and outputs {outputs}, "
            f"where input {INPUT!r} and output {PROBABILITIES!r} are expected"
        )
    return session


def load_classifier(candidate: Candidate) -> Classifier:
    """Load the model and let it answer the golden examples.

    Raises:
        BundleError: the model can't be loaded, can't answer, or gives another answer than it gave in training.
    """
    classifier = Classifier(candidate.model)
    metadata = candidate.metadata
    examples = metadata.golden_examples
    answers = _answers(classifier, rows_of(examples, metadata.feature_names))
    for index, (example, answer) in enumerate(zip(examples, answers, strict=True)):
        _check_answer(f"golden example {index}", example, answer, metadata)
    return classifier


def rows_of(examples: list[GoldenExample], feature_names: list[str]) -> Floats:
    """The examples' features as the model takes them, NaN where a value is missing."""
    return np.array(
        [[_number(example.instance[name]) for name in feature_names] for example in examples], dtype=np.float32
    )


def _answers(classifier: Classifier, rows: Floats) -> Floats:
    """The model's answers, of the kind that requests rely on without looking.

    Raises:
        BundleError: the model fails, or gives something else.
    """
    try:
        answers: object = classifier.probabilities(rows)
    except Exception as error:  # onnxruntime's errors share no narrower class
        raise BundleError(f"the model can't answer the golden examples: {error}") from error
    if not isinstance(answers, np.ndarray):
        raise BundleError(f"the model gives its probabilities as a {type(answers).__name__}; export it without ZipMap")
    if answers.dtype != np.float32 or answers.shape[:1] != (len(rows),):
        raise BundleError(
            f"the model gives {answers.dtype} of shape {list(answers.shape)} for {len(rows)} golden examples, "
            "where one row of float32 for each is expected"
        )
    return answers


def _check_answer(what: str, example: GoldenExample, answer: Floats, metadata: Metadata) -> None:
    if answer.shape != (len(metadata.target_names),):
        raise BundleError(f"the model gives {answer.size} probabilities for {len(metadata.target_names)} classes")
    label = metadata.target_names[int(answer.argmax())]
    distance = float(np.abs(answer - np.array(example.probabilities)).max())
    if label_key(label) != label_key(example.prediction) or not distance <= TOLERANCE:
        raise BundleError(
            f"{what}: the model says {label!r} where {example.prediction!r} is right, "
            f"with probabilities {distance:.1e} away (at most {TOLERANCE:.0e} is allowed)"
        )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
