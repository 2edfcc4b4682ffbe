"""From a fitted scikit-learn pipeline to ONNX bytes."""

from typing import TYPE_CHECKING

from functions.bundle.runtime import INPUT, PROBABILITIES
from pipeline.errors import ExportError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

GRAPH = "classifier"
"""Fixed, because skl2onnx would make up another name in each run, and the bytes would differ."""


def export(pipeline: "Pipeline", n_features: int) -> bytes:
    """The pipeline as an ONNX model: `input` float32 [rows, features] to `probabilities` [rows, classes].

    Raises:
        ExportError: skl2onnx has no converter for a step, or can't convert it as it was fitted.
    """
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    try:
        model = convert_sklearn(
            pipeline,
            name=GRAPH,
            initial_types=[(INPUT, FloatTensorType([None, n_features]))],
            options={id(pipeline): {"zipmap": False}},
        )
    except Exception as error:
        kind = type(pipeline[-1]).__name__
        reason = " ".join(str(error).split())[:300]
        raise ExportError(
            f"{kind} can't be exported to ONNX as it was fitted ({type(error).__name__}: {reason}); "
            "name one that skl2onnx converts: forests, gradient boosting, linear models, k-NN, naive Bayes, MLP"
        ) from error
    outputs = [output.name for output in model.graph.output]
    if PROBABILITIES not in outputs:
        raise ExportError(f"the exported model has outputs {outputs} and no {PROBABILITIES!r}; name another estimator")
    # skl2onnx collects these in a set, whose order changes from process to process
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    content: bytes = model.SerializeToString()
    return content
