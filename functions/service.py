"""What the routes work with."""

from dataclasses import dataclass

from functions.errors import NoModel
from functions.guard import Guard
from functions.limits import Limits
from functions.metrics import ServiceMetrics
from functions.model import Model
from functions.settings import Settings


@dataclass(frozen=True)
class Service:
    """The parts of one app, put together by `functions.app`."""

    settings: Settings
    model: Model | None
    guard: Guard
    limits: Limits
    metrics: ServiceMetrics

    def require_model(self) -> Model:
        """The model that answers.

        Raises:
            NoModel: there is none.
        """
        if self.model is None:
            raise NoModel("there is no model to predict with; the service's log says why")
        return self.model
