"""What can go wrong in the pipeline. Every message says what is wrong and what to do about it."""


class PipelineError(Exception):
    """Base of all errors that a stage reports to its user without a traceback."""


class InvalidParams(PipelineError):
    """params.yaml has an unknown, missing or unacceptable value."""


class InvalidData(PipelineError):
    """The data file can't be used for training."""


class InvalidModel(PipelineError):
    """The configured estimator can't be built or fitted, or is no classifier with probabilities."""


class ExportError(PipelineError):
    """The fitted model can't be exported, or its export gives other answers."""


class TrackingError(PipelineError):
    """The MLflow store can't be used as it is configured."""


class BrokenBundle(PipelineError):
    """A folder that should hold a bundle does not hold a sound one."""


class GateFailed(PipelineError):
    """The candidate is not good enough to be released."""


class PromotionError(PipelineError):
    """The champion's pointer can't be moved."""


class DeliveryError(PipelineError):
    """A step of the build can't go on."""
