"""The model that answers, replaced while it serves.

A request takes the model once and keeps it, so that none sees two. One that finds a check of the
source due starts it and is answered by the model that is there; the next one is loaded beside it,
proved, and put in its place by one assignment.
"""

import logging
import threading
import time
from typing import Protocol

from functions.background import NEVER, RETRY_SECONDS, BackgroundTask
from functions.bundle.files import BundleError
from functions.bundle.metadata import Metadata
from functions.bundle.sources import BundleSource, Offer
from functions.bundle.storage import StorageError
from functions.model import Model

REMEDY = "train one with `make train`, or correct MODEL_DIR or MODEL_URI"
WAIT_SECONDS = 3.0
"""Longest that a request waits for a check, after a time without requests."""

LOADED, REFUSED, UNREACHABLE = "loaded", "refused", "unreachable"
"""Outcomes of a check: another model serves now; it can't be used; nobody could say whether there is one."""

logger = logging.getLogger(__name__)


class Observer(Protocol):
    """Who wants to know which model answers, and how its replacement went."""

    def serve_model(self, model: Model | None) -> None:
        """`model` answers from now on."""

    def count_reload(self, outcome: str) -> None:
        """A model was replaced (LOADED), or its successor was REFUSED or UNREACHABLE."""


class Champion:
    """The model that answers, and the source that its successors come from.

    What can't be read is tried again at the next check. What was read and is wrong is refused, and not
    read again while the source offers the same. Either is logged when it happens first, and counted at each
    check, so that an alert lasts as long as its cause.
    """

    def __init__(
        self,
        model: Model | None = None,
        source: BundleSource | None = None,
        *,
        max_rows: int = 0,
        reload_seconds: int = 0,
    ) -> None:
        """Answer with `model` until `source` has another, at most every `reload_seconds`; 0: until it had one.

        `max_rows` is what a request to the models of the source may hold.
        """
        self._model = model
        self._source = source
        self._max_rows = max_rows
        self._reload_seconds = reload_seconds or NEVER
        self._observer: Observer | None = None
        self._replacing = threading.Lock()
        self._judged: object = None
        self._refused = False
        self._said: str | None = None
        due = NEVER if source is None else time.monotonic()
        self._check = BackgroundTask("model check", self._look, due, WAIT_SECONDS)

    def current(self) -> Model | None:
        """The model that answers, None where there is none.

        Starts a check of the source, if one is due. Where nobody asked for so long that the processor may have
        slept, as on Cloud Run, this one request waits for it: once it is answered, the check would sleep too.
        """
        self._check.start_if_due()
        return self._model

    def observe(self, observer: Observer) -> None:
        """Tell `observer` which model answers, now and later."""
        with self._replacing:
            self._observer = observer
            observer.serve_model(self._model)

    def start(self) -> None:
        """Start the first check, without waiting for it."""
        self._check.start()

    def wait(self, seconds: float) -> None:
        """Wait for the check that runs, at most so long."""
        self._check.wait(seconds)

    def stand_in(self, source: BundleSource) -> None:
        """Answer with the bundle of another source, if there is no model yet, and say so."""
        assert self._source is not None
        if self._model is not None:
            return
        try:
            model = self._load(source.look(), stands_in_for=self._source.uri)
        except (StorageError, BundleError) as error:
            logger.error("no model stands in", extra={"reason": str(error)})
            return
        with self._replacing:
            if self._model is None:
                self._serve(model)

    def _look(self) -> float:
        """One check of the source; gives the seconds until the next."""
        assert self._source is not None
        stamp = None
        try:
            offer = self._source.look()
            stamp = offer.stamp
            if stamp != self._judged:
                self._replace(self._load(offer))
                self._judged, self._refused = stamp, False
            elif self._refused:
                self._count(REFUSED)
            self._said = None
        except StorageError as error:
            self._count(UNREACHABLE)
            self._say(str(error))
        except BundleError as error:
            self._judged, self._refused = stamp, True
            self._count(REFUSED)
            self._say(str(error))
        if self._model is None or self._model.stands_in_for:
            return min(RETRY_SECONDS, self._reload_seconds)
        return self._reload_seconds

    def _load(self, offer: Offer, stands_in_for: str | None = None) -> Model:
        candidate, where = offer.read()
        return Model(candidate, where, self._max_rows, stands_in_for)

    def _replace(self, model: Model) -> None:
        with self._replacing:
            if self._model is not None:
                # a stand-in serves only until what was asked for can
                if not self._model.stands_in_for:
                    _require_same_interface(model.metadata, self._model.metadata)
                self._count(LOADED)
            self._serve(model)

    def _serve(self, model: Model) -> None:
        # The metrics first: no request is answered by a model that they don't know.
        if self._observer is not None:
            self._observer.serve_model(model)
        self._model = model
        logger.info(
            "model loaded",
            extra={"model": model.metadata.name, "model_version": model.version, "source": model.source},
        )

    def _count(self, outcome: str) -> None:
        if self._observer is not None:
            self._observer.count_reload(outcome)

    def _say(self, reason: str) -> None:
        if reason == self._said:
            return
        self._said = reason
        if self._model is None:
            logger.error("no model is served", extra={"reason": reason, "remedy": REMEDY})
        else:
            logger.error("the model is not replaced", extra={"reason": reason, "model_version": self._model.version})


def _require_same_interface(successor: Metadata, model: Metadata) -> None:
    """Clients that the one serves are served by the other.

    Raises:
        BundleError: the name, the features or the classes differ.
    """
    for what, new, old in zip(("name", "features", "classes"), _interface(successor), _interface(model), strict=True):
        if new != old:
            raise BundleError(
                f"version {successor.version} has other {what} than version {model.version}, which serves; "
                "a model with another interface is taken at a start, not while clients rely on this one"
            )


def _interface(metadata: Metadata) -> tuple[object, ...]:
    features = [(feature.name, feature.dtype, feature.nullable) for feature in metadata.features]
    # true and 1 are equal in Python, and different to clients
    classes = [(type(label), label) for label in metadata.target_names]
    return metadata.name, features, classes
