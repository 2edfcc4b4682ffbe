"""Whether to turn the traffic: no clock, no network, only what was found and what is remembered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

BAD_ROUNDS = 2
COOLDOWN = timedelta(minutes=10)
GOOD_TIME = timedelta(minutes=15)
ROUNDS_IN_A_ROW = timedelta(minutes=5)
"""Rounds further apart than this do not add up."""


class Backend(StrEnum):
    """What can serve the traffic."""

    CLOUD_RUN = "cloud_run"
    VM = "vm"

    @property
    def other(self) -> "Backend":
        """The one that it is not."""
        return Backend.VM if self is Backend.CLOUD_RUN else Backend.CLOUD_RUN


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a controller remembers.

    `active` serves `since` then, or was found to; `bad_rounds` is in how many rounds in a row it was down.
    `good_since` is since when Cloud Run was up in every round while the VM serves.
    """

    active: Backend
    since: datetime
    reason: str
    bad_rounds: int = 0
    good_since: datetime | None = None
    checked_at: datetime


@dataclass(frozen=True)
class Findings:
    """What one round found: which probes each backend answered, and what the VM's own health check says."""

    answered: Mapping[Backend, tuple[bool, ...]]
    vm_healthy: bool

    def is_down(self, backend: Backend) -> bool:
        """Whether most of its probes failed."""
        answered = self.answered[backend]
        return sum(answered) * 2 < len(answered)

    def is_up(self, backend: Backend) -> bool:
        """Whether traffic may be turned to it: it answered every probe, and the VM's health check agrees."""
        return all(self.answered[backend]) and (backend is not Backend.VM or self.vm_healthy)


@dataclass(frozen=True)
class Decision:
    """What to remember of this round, and where to turn the traffic, if anywhere, with the reason."""

    state: State
    turn_to: Backend | None = None
    reason: str = ""


def recall(state: State | None, active: Backend, now: datetime) -> State:
    """What is remembered, put right by what the load balancer says is `active`.

    A switch that nobody wrote down, by hand or by a controller that ended in between, counts from now.
    So does the first round, and one whose state was lost: the cooldown holds in each case.
    """
    if state is None:
        return State(active=active, since=now, reason="found so: nothing was remembered", checked_at=now)
    if state.active is not active:
        return State(active=active, since=now, reason="found so: nobody wrote the switch down", checked_at=now)
    if now - state.checked_at > ROUNDS_IN_A_ROW:
        return msgspec.structs.replace(state, bad_rounds=0, good_since=None)
    return state


def decide(state: State, found: Findings, now: datetime, *, automatic_failback: bool) -> Decision:
    """What to do after a round that found this.

    The traffic is turned when the active backend was down in two rounds in a row and the other is up, either
    way round. While the VM is up it is turned back to Cloud Run only if `automatic_failback`, once Cloud Run
    was up for 15 minutes. After a switch nothing is turned for 10 minutes.
    """
    active, other = state.active, state.active.other
    waits_for_cloud_run = active is Backend.VM and found.is_up(Backend.CLOUD_RUN)
    state = msgspec.structs.replace(
        state,
        bad_rounds=state.bad_rounds + 1 if found.is_down(active) else 0,
        good_since=(state.good_since or now) if waits_for_cloud_run else None,
        checked_at=now,
    )
    if now - state.since < COOLDOWN or not found.is_up(other):
        return Decision(state)
    if state.bad_rounds >= BAD_ROUNDS:
        return Decision(state, other, f"{active} was down in {state.bad_rounds} rounds in a row")
    if automatic_failback and state.good_since is not None and now - state.good_since >= GOOD_TIME:
        return Decision(state, other, f"{other} has been up since {state.good_since.isoformat()}")
    return Decision(state)


def turned(decision: Decision, now: datetime) -> State:
    """What to remember once the traffic was turned.

    Raises:
        ValueError: the decision turns nothing.
    """
    if decision.turn_to is None:
        raise ValueError("the decision turns nothing")
    return State(active=decision.turn_to, since=now, reason=decision.reason, checked_at=now)
