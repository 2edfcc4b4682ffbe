"""What the routes work with."""

from dataclasses import dataclass

from functions.champion import Champion
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
    champion: Champion
    guard: Guard
    limits: Limits
    metrics: ServiceMetrics

    @property
    def model(self) -> Model | None:
        """The model that answers now; a request asks once and keeps it, for the next may be another."""
        return self.champion.current()

    @property
    def ready(self) -> bool:
        """Whether predictions can be answered: there is a model, and keys, if callers need one."""
        return self.model is not None and self.guard.ready

    def require_model(self) -> Model:
        """The model that answers now.

        Raises:
            NoModel: there is none.
        """
        model = self.model
        if model is None:
            raise NoModel("there is no model to predict with; the service's log says why")
        return model
