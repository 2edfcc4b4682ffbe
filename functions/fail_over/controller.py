"""One round: look, judge, remember, and turn the traffic if need be.

The state is written before the traffic is turned, so that of two controllers that saw the same only one
acts. A controller that ends at any point leaves nothing behind that the next round does not put right:
the proxy's URL map is the truth, the state is memory.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from functions.bundle.storage import Conflict
from functions.events import time_of
from functions.fail_over.decision import Backend, Decision, Findings, State, decide, recall, turned
from functions.fail_over.load_balancer import LoadBalancer, open_session
from functions.fail_over.memory import Memory
from functions.fail_over.probes import probe_backends
from functions.settings import FailoverSettings

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent

OLDEST_TICK = timedelta(minutes=1)

Probe = Callable[[], Mapping[Backend, tuple[bool, ...]]]
Clock = Callable[[], datetime]

logger = logging.getLogger(__name__)


def on_tick(event: "CloudEvent", settings: FailoverSettings) -> None:
    """Make the round that the Scheduler's event asks for; one of a backlog says nothing about now.

    Raises:
        LoadBalancerError: Compute Engine refuses; the next minute tries again.
        StorageError: the state can't be read or written.
    """
    if datetime.now(UTC) - time_of(event) > OLDEST_TICK:
        logger.info("no round: the event is more than a minute old", extra={"event_id": event["id"]})
        return
    make_round(settings)


def make_round(settings: FailoverSettings) -> None:
    """Make one round with the process's own identity.

    Raises:
        LoadBalancerError: Compute Engine refuses, or is not as the settings say.
        StorageError: the state can't be read or written.
    """
    url_maps = {Backend.CLOUD_RUN: settings.primary_url_map, Backend.VM: settings.fallback_url_map}
    with open_session() as session:
        controller = Controller(
            LoadBalancer(session, settings.proxy, url_maps, settings.vm_backend),
            Memory(settings.state_uri),
            automatic_failback=settings.automatic_failback,
        )
        try:
            if settings.pinned:
                controller.follow()
            else:
                controller.control(lambda: probe_backends(settings.url, settings.probe_token))
        except Conflict:
            logger.info("no switch: another controller was quicker")


class Controller:
    """Judges the backends of one load balancer; any number of them may do so at once."""

    def __init__(
        self,
        balancer: LoadBalancer,
        memory: Memory,
        *,
        automatic_failback: bool,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        """Take the parts; nothing is called yet."""
        self._balancer = balancer
        self._memory = memory
        self._automatic_failback = automatic_failback
        self._clock = clock

    def follow(self) -> None:
        """Remember what is active, and touch nothing: an operator decides.

        Raises:
            Conflict: another controller wrote the state meanwhile.
        """
        remembered, generation = self._memory.read()
        state = recall(remembered, self._balancer.active(), self._clock())
        if state != remembered:
            self._memory.write(state, generation)
            _announce_found(remembered, state)
        logger.info("stood down: the operator decides", extra={"active": state.active})

    def control(self, probe: Probe) -> None:
        """Probe both backends, and turn the traffic if that is called for.

        Raises:
            Conflict: another controller wrote the state meanwhile, so it acts on what both saw.
        """
        remembered, generation = self._memory.read()
        state = recall(remembered, self._balancer.active(), self._clock())
        found = Findings(answered=probe(), vm_healthy=self._balancer.vm_is_healthy())
        decision = decide(state, found, self._clock(), automatic_failback=self._automatic_failback)
        generation = self._memory.write(decision.state, generation)
        _announce_found(remembered, state)
        logger.log(
            logging.WARNING if decision.state.bad_rounds else logging.INFO,
            "round",
            extra={
                "active": state.active,
                "answered": {backend: sum(answers) for backend, answers in found.answered.items()},
                "vm_healthy": found.vm_healthy,
                "bad_rounds": decision.state.bad_rounds,
            },
        )
        if decision.turn_to is not None:
            self._turn(decision, decision.turn_to, generation)

    def _turn(self, decision: Decision, backend: Backend, generation: int) -> None:
        if self._balancer.active() is backend:
            logger.info("no switch: somebody turned the traffic meanwhile", extra={"active": backend})
            return
        self._balancer.turn_to(backend)
        _announce(backend, decision.reason)
        try:
            self._memory.write(turned(decision, self._clock()), generation)
        except Conflict:
            logger.info("switch not written down: another controller wrote; the next round finds it")


def _announce_found(remembered: State | None, state: State) -> None:
    """Announce a switch that nobody wrote down: who made it may have ended before it could say so."""
    if remembered is not None and remembered.active is not state.active:
        _announce(state.active, state.reason)


def _announce(backend: Backend, reason: str) -> None:
    logger.critical(
        "traffic turned",
        extra={"severity": "ALERT", "from_backend": backend.other, "to_backend": backend, "reason": reason},
    )
