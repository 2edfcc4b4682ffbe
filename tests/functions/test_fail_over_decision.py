"""When the traffic is turned: a table of cases, and what holds in every history."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.fail_over.decision import (
    BAD_ROUNDS,
    COOLDOWN,
    GOOD_TIME,
    ROUNDS_IN_A_ROW,
    Backend,
    Decision,
    Findings,
    State,
    decide,
    recall,
    turned,
)

RUN, VM = Backend.CLOUD_RUN, Backend.VM
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
UP, DOWN, ONE_FAILED, TWO_FAILED = (True,) * 3, (False,) * 3, (True, False, True), (False, True, False)


def state(active, *, minutes=60, bad_rounds=0, good_minutes=None):
    """A state in which `active` has served for `minutes`."""
    good_since = None if good_minutes is None else NOW - good_minutes * MINUTE
    return State(
        active=active,
        since=NOW - minutes * MINUTE,
        reason="",
        bad_rounds=bad_rounds,
        good_since=good_since,
        checked_at=NOW - MINUTE,
    )


def findings(run, vm, vm_healthy=True):
    return Findings(answered={RUN: run, VM: vm}, vm_healthy=vm_healthy)


CASES = {
    "all is well": (state(RUN), findings(UP, UP), None),
    "first bad round": (state(RUN), findings(DOWN, UP), None),
    "second bad round": (state(RUN, bad_rounds=1), findings(DOWN, UP), VM),
    "two of three probes failed": (state(RUN, bad_rounds=1), findings(TWO_FAILED, UP), VM),
    "one of three probes failed": (state(RUN, bad_rounds=1), findings(ONE_FAILED, UP), None),
    "both are down": (state(RUN, bad_rounds=5), findings(DOWN, DOWN, vm_healthy=False), None),
    "VM answers, its health check says no": (state(RUN, bad_rounds=5), findings(DOWN, UP, vm_healthy=False), None),
    "VM is healthy, its probes are not answered": (state(RUN, bad_rounds=5), findings(DOWN, DOWN), None),
    "VM answered two of three probes": (state(RUN, bad_rounds=5), findings(DOWN, ONE_FAILED), None),
    "bad rounds went on while the VM was down": (state(RUN, bad_rounds=9), findings(DOWN, UP), VM),
    "Cloud Run is down in the cooldown": (state(RUN, minutes=9.99, bad_rounds=9), findings(DOWN, UP), None),
    "Cloud Run is down after the cooldown": (state(RUN, minutes=10, bad_rounds=9), findings(DOWN, UP), VM),
    "VM serves, all is well": (state(VM), findings(UP, UP), None),
    "VM serves, Cloud Run is down": (state(VM), findings(DOWN, UP), None),
    "VM is down while Cloud Run is up": (state(VM, bad_rounds=1), findings(UP, DOWN), RUN),
    "VM is down, and Cloud Run too": (state(VM, bad_rounds=1), findings(DOWN, DOWN), None),
    "unhealthy VM that answers goes on serving": (state(VM, bad_rounds=1), findings(UP, UP, vm_healthy=False), None),
    "VM serves, Cloud Run was up for long": (state(VM, good_minutes=600), findings(UP, UP), None),
}
AUTOMATIC_CASES = {
    "Cloud Run was up for 15 minutes": (state(VM, good_minutes=15), findings(UP, UP), RUN),
    "Cloud Run was up for less": (state(VM, good_minutes=14.99), findings(UP, UP), None),
    "Cloud Run fails in that round": (state(VM, good_minutes=60), findings(ONE_FAILED, UP), None),
    "Cloud Run is up in the cooldown": (state(VM, minutes=9, good_minutes=15), findings(UP, UP), None),
    "Cloud Run serves already": (state(RUN), findings(UP, UP), None),
}


@pytest.mark.parametrize(("before", "found", "expected"), CASES.values(), ids=CASES)
def test_traffic_is_turned_as_the_table_says(before, found, expected):
    decision = decide(before, found, NOW, automatic_failback=False)
    assert decision.turn_to is expected
    assert bool(decision.reason) == (expected is not None)


@pytest.mark.parametrize(("before", "found", "expected"), AUTOMATIC_CASES.values(), ids=AUTOMATIC_CASES)
def test_traffic_is_turned_back_by_itself_where_that_is_set(before, found, expected):
    assert decide(before, found, NOW, automatic_failback=True).turn_to is expected
    assert decide(before, found, NOW, automatic_failback=False).turn_to is None


def test_bad_rounds_are_counted_until_a_good_one():
    after = decide(state(RUN, bad_rounds=3), findings(DOWN, DOWN), NOW, automatic_failback=False).state
    assert after.bad_rounds == 4
    assert after.checked_at == NOW
    assert decide(after, findings(ONE_FAILED, DOWN), NOW, automatic_failback=False).state.bad_rounds == 0


def test_good_time_starts_when_cloud_run_is_up_and_ends_when_it_is_not():
    waiting = decide(state(VM), findings(UP, UP), NOW, automatic_failback=False).state
    assert waiting.good_since == NOW
    assert decide(waiting, findings(UP, UP), NOW + MINUTE, automatic_failback=False).state.good_since == NOW
    assert decide(waiting, findings(ONE_FAILED, UP), NOW, automatic_failback=False).state.good_since is None


@pytest.mark.parametrize("remembered", [None, state(VM, bad_rounds=7, good_minutes=60)], ids=["nothing", "another"])
def test_what_the_proxy_has_is_the_truth_and_starts_the_cooldown(remembered):
    recalled = recall(remembered, RUN, NOW)
    assert (recalled.active, recalled.since, recalled.bad_rounds, recalled.good_since) == (RUN, NOW, 0, None)


def test_what_agrees_with_the_proxy_is_recalled_as_it_is():
    assert recall(state(VM, bad_rounds=1), VM, NOW) == state(VM, bad_rounds=1)


def test_rounds_far_apart_do_not_add_up():
    recalled = recall(state(VM, bad_rounds=1, good_minutes=60), VM, NOW + ROUNDS_IN_A_ROW)
    assert (recalled.bad_rounds, recalled.good_since) == (0, None)
    assert recalled.since == NOW - 60 * MINUTE


def test_turning_starts_anew():
    decision = decide(state(RUN, bad_rounds=1), findings(DOWN, UP), NOW, automatic_failback=False)
    after = turned(decision, NOW)
    assert after == State(active=VM, since=NOW, reason="cloud_run was down in 2 rounds in a row", checked_at=NOW)


def test_decision_that_turns_nothing_can_not_be_turned():
    with pytest.raises(ValueError, match="turns nothing"):
        turned(Decision(state(RUN)), NOW)


@dataclass(frozen=True)
class Step:
    """One round of a history, and what happens before it."""

    pause: timedelta
    found: Findings
    state_lost: bool
    turned_by_hand: bool


@dataclass(frozen=True)
class Switch:
    """One switch of the controller, with the round before."""

    at: datetime
    to: Backend
    found: Findings
    found_before: Findings | None


answers = st.sampled_from([UP, UP, DOWN, DOWN, ONE_FAILED, TWO_FAILED])
steps = st.builds(
    Step,
    pause=st.sampled_from([MINUTE, MINUTE, 2 * MINUTE, 4 * MINUTE, COOLDOWN, 60 * MINUTE]),
    found=st.builds(findings, answers, answers, st.sampled_from([True, True, True, False])),
    state_lost=st.sampled_from([False] * 15 + [True]),
    turned_by_hand=st.sampled_from([False] * 15 + [True]),
)


def play(history, *, automatic_failback):
    """The switches that a controller makes in a history."""
    active, remembered, now, before, switches = RUN, state(RUN), NOW, None, []
    for step in history:
        now += step.pause
        active = active.other if step.turned_by_hand else active
        recalled = recall(None if step.state_lost else remembered, active, now)
        decision = decide(recalled, step.found, now, automatic_failback=automatic_failback)
        remembered = decision.state
        if decision.turn_to is not None:
            assert decision.turn_to is not active
            switches.append(Switch(now, decision.turn_to, step.found, before))
            active, remembered = decision.turn_to, turned(decision, now)
        before = step.found
    return switches


@settings(max_examples=500, deadline=None)
@given(st.lists(steps, max_size=40), st.booleans())
def test_in_every_history_no_switch_goes_to_a_backend_that_its_probes_call_dead(history, automatic_failback):
    for switch in play(history, automatic_failback=automatic_failback):
        assert all(switch.found.answered[switch.to])
        assert switch.to is RUN or switch.found.vm_healthy


@settings(max_examples=500, deadline=None)
@given(st.lists(steps, max_size=40), st.booleans())
def test_in_every_history_a_cooldown_holds_at_most_one_switch(history, automatic_failback):
    times = [switch.at for switch in play(history, automatic_failback=automatic_failback)]
    assert all(later - earlier >= COOLDOWN for earlier, later in pairwise(times))


@settings(max_examples=500, deadline=None)
@given(st.lists(steps, max_size=40))
def test_in_every_history_only_a_backend_that_was_down_twice_is_left(history):
    for switch in play(history, automatic_failback=False):
        assert switch.found_before is not None
        assert switch.found.is_down(switch.to.other)
        assert switch.found_before.is_down(switch.to.other)


@pytest.mark.parametrize("automatic_failback", [True, False])
def test_backend_that_comes_and_goes_is_not_left(automatic_failback):
    history = [Step(MINUTE, findings(found, UP), False, False) for found in (DOWN, UP) * 60]
    assert play(history, automatic_failback=automatic_failback) == []


def test_outage_is_a_switch_there_and_an_automatic_one_back():
    outage = [Step(MINUTE, findings(DOWN, UP), False, False)] * 30
    recovery = [Step(MINUTE, findings(UP, UP), False, False)] * 60
    there, back = play(outage + recovery, automatic_failback=True)
    assert (there.to, there.at) == (VM, NOW + BAD_ROUNDS * MINUTE)
    assert (back.to, back.at) == (RUN, NOW + 31 * MINUTE + GOOD_TIME)
    assert [switch.to for switch in play(outage + recovery, automatic_failback=False)] == [VM]
