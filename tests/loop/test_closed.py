"""Decisions of the closed loop, with planners that are made up: what it adopts, what it keeps, and why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hffm_opt.errors import InfeasibleError, InputError, LimitReachedError
from hffm_opt.loop.closed import ClosedLoop
from hffm_opt.loop.rehearsal import Rehearsal, rehearse
from hffm_opt.loop.static import StaticCourse
from hffm_opt.measurement.replans import under_conditions
from hffm_opt.plan.model import Plan
from hffm_opt.plan.outcome import Outcome
from hffm_opt.plan.schedule import run_cost
from hffm_opt.problem import Problem, build_problem
from hffm_opt.scenario.changes import Change, Changes, Fade, Fail, Join, Leave, Slow
from hffm_opt.scenario.conditions import Conditions
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import Request
from hffm_opt.trace.model import Goal

TINY = load_scenario("tiny")
A, B = TINY.devices[0].name, TINY.devices[1].name
GOAL = Goal(objective="weighted", weights=(1.0, 1.0, 0.0), looks_every=4)
METHOD = "h-fedfm-2+best-head+mst"
Planner = Callable[..., Outcome]


def network(*events: Change, fading: bool = False) -> Problem:
    changes = Changes(events=events, fading="rayleigh" if fading else None)
    return build_problem(TINY.model_copy(update={"changes": changes}))


def made(problem: Problem, method: str = METHOD) -> Outcome:
    return solve(problem, method, Request())


def planner(calls: list[Problem], method: str = METHOD) -> Planner:
    def plan(problem: Problem, *_: object) -> Outcome:
        calls.append(problem)
        return made(problem, method)

    return plan


def loop(problem: Problem, plan: Planner, rounds: int = 12, goal: Goal = GOAL, first: Plan | None = None) -> Rehearsal:
    first = made(problem).plan if first is None else first
    return rehearse(first, rounds, ClosedLoop(problem, first, rounds, goal, plan))


def test_nothing_is_planned_where_nothing_changes() -> None:
    calls: list[Problem] = []
    found = loop(network(), planner(calls))
    assert calls == [] and found.revisions == ()
    assert [(look.round, look.cause, look.adopted) for look in found.looks] == [
        (5, "nothing has changed", False),
        (9, "nothing has changed", False),
    ]
    assert {look.reason for look in found.looks} == {"the plan in force was made for these conditions"}
    first = made(network()).plan
    assert found.cost == run_cost(network(), first, 12) and found.taught == 12


def test_a_look_tells_what_is_left_of_the_run() -> None:
    problem = network(Fade(change="fade", round=3, source=B, loss_db=30.0))
    first = made(problem).plan
    found = loop(problem, planner([]), first=first)
    look = found.looks[0]
    now = under_conditions(problem, look.conditions)
    plan = first.model_copy(update={"scenario": first.scenario.model_copy(update={"fingerprint": now.fingerprint})})
    rest = [run_cost(now, plan, n) for n in (12, 4)]
    left = rest[0].latency_s - rest[1].latency_s + rest[0].energy_j - rest[1].energy_j
    assert look.current == pytest.approx(left)
    assert (look.rounds_left, look.cause) == (8, f"links of {B} changed by -30.0 dB")
    assert look.proposed is not None and look.saving == pytest.approx(look.current - look.proposed)


@pytest.mark.parametrize("rounds", [5, 6, 8, 12, 40])
def test_a_plan_is_adopted_exactly_if_it_saves_more_than_it_costs(rounds: int) -> None:
    """The fewer rounds are left, the less there is to save; telling devices costs the same."""
    problem = network(Fade(change="fade", round=2, source=B, loss_db=3.0))
    (look, *_) = loop(problem, planner([]), rounds=rounds).looks
    assert look.saving is not None and look.cost > 0
    assert look.adopted == (look.saving > look.cost)
    assert look.reason == ("it saves more than it costs" if look.adopted else "it would not save what it costs")


def test_both_decisions_occur() -> None:
    problem = network(Fade(change="fade", round=2, source=B, loss_db=3.0))
    assert [loop(problem, planner([]), rounds=n).looks[0].adopted for n in (5, 6, 8, 40)] == [False, False, True, True]


def test_what_a_change_of_plan_saves_is_what_it_promised_if_nothing_else_happens() -> None:
    problem = network(Fade(change="fade", round=2, source=B, loss_db=30.0))
    first = made(problem).plan
    found = loop(problem, planner([]), rounds=20, first=first)
    (look,) = [look for look in found.looks if look.adopted]
    still = rehearse(first, 20, StaticCourse(problem)).cost
    cost = found.cost
    ended = cost.latency_s + cost.energy_j
    assert look.saving is not None
    # Cells that have to be told wait for one another no longer than the slowest of them.
    assert ended <= still.latency_s + still.energy_j - look.saving + look.cost + 1e-9
    assert ended < still.latency_s + still.energy_j


def test_an_old_plan_is_preferred_when_old_conditions_return() -> None:
    """The planner is worse at the second look: what was in force at first is remembered."""
    problem = network(Leave(change="leave", round=2, until=8, device=A))
    first = made(problem).plan
    calls: list[Problem] = []

    def worse(problem: Problem, *_: object) -> Outcome:
        calls.append(problem)
        return made(problem, METHOD if len(calls) == 1 else "star")

    found = loop(problem, worse, rounds=40, first=first, goal=GOAL.model_copy(update={"looks_every": 50}))
    assert len(calls) == 2 and [(look.round, look.cause) for look in found.looks] == [
        (3, f"{A} left"),
        (9, f"{A} joined"),
    ]
    assert [each.round for each in found.revisions] == [3, 9]
    back = found.revisions[1]
    assert back.plan.circulation == first.circulation and back.plan.cells == first.cells
    assert back.conditions == Conditions()
    assert [found.looks[1].adopted, found.looks[1].proposed is not None] == [True, True]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            InfeasibleError.one("plan", "no plan keeps the limit", "raise it"),
            "no plan was found: no plan keeps the limit",
        ),
        (
            LimitReachedError.one("--time-limit", "nothing within 1 s", "give more"),
            "no plan was found: nothing within 1 s",
        ),
        (InputError.one("cell", "no path", "use another method"), "no plan was found: no path"),
    ],
)
def test_where_no_plan_is_found_the_one_in_force_stays(error: Exception, told: str) -> None:
    def fails(*_: object) -> Outcome:
        raise error

    problem = network(Leave(change="leave", round=2, device=A))
    found = loop(problem, fails)
    assert found.revisions == () and {look.reason for look in found.looks} == {told}
    assert all(look.proposed is None and look.cost == 0 for look in found.looks)


def test_a_plan_that_breaks_a_limit_is_not_adopted() -> None:
    def broken(*_: object) -> Outcome:
        return made(network()).model_copy(update={"feasible": False})

    found = loop(network(Leave(change="leave", round=2, device=A)), broken)
    assert found.revisions == ()
    assert {look.reason for look in found.looks} == {"the best plan that was found breaks a limit"}


def test_a_plan_that_only_puts_averages_off_is_not_adopted() -> None:
    """After round 8, seven rounds are left, in which a plan with a meeting every eighth never pays for one."""
    problem = network(Slow(change="slow", round=5, device=A, factor=0.9))
    first = made(problem, "h-fedfm-2").plan

    def seldom(problem: Problem, *_: object) -> Outcome:
        outcome = made(problem, "h-fedfm-8")
        cells = []
        for cell in outcome.plan.cells:
            *others, meeting = cell.rounds
            assert meeting.uplink is not None
            faint = tuple(arc.model_copy(update={"power_w": 1e-6}) for arc in meeting.uplink.arcs)
            rare = meeting.model_copy(update={"uplink": meeting.uplink.model_copy(update={"arcs": faint})})
            cells.append(cell.model_copy(update={"rounds": (*others, rare)}))
        plan = outcome.plan.model_copy(update={"cells": tuple(cells)})
        return outcome.model_copy(update={"plan": plan, "feasible": True})

    found = loop(problem, seldom, rounds=15, first=first, goal=GOAL.model_copy(update={"looks_every": 8}))
    assert [(look.round, look.adopted, look.reason) for look in found.looks] == [
        (6, False, "it would not save what it costs"),
        (9, False, "it would only put averages off beyond the end of the run"),
    ]
    assert found.looks[1].saving is not None and found.looks[1].saving > found.looks[1].cost


def test_looks_come_forward_when_devices_come_go_are_cut_off_or_change_speed() -> None:
    cases: dict[Change, list[int]] = {
        Leave(change="leave", round=6, device=A): [4, 6, 8],
        Leave(change="leave", round=6, until=7, device=A): [4, 6, 7, 8],
        Join(change="join", round=6, device=A): [1, 4, 6, 8],
        Slow(change="slow", round=2, device=A, factor=0.5): [2, 4, 8],
        Slow(change="slow", round=1, device=A, factor=0.5): [1, 4, 8],
        Fade(change="fade", round=6, source=A, loss_db=20.0): [4, 8],
    }
    for event, rounds in cases.items():
        problem = network(event)
        plan = made(problem).plan
        course = ClosedLoop(problem, plan, 10, GOAL, planner([]))
        assert [n for n in range(1, 10) if course.looks(n, plan)] == rounds, event


def test_a_link_that_fails_is_looked_at_if_the_plan_uses_it() -> None:
    problem = network()
    plan = made(problem, "h-fedfm-2+d2d").plan
    arcs = {
        frozenset((a.source, a.target)) for r in plan.cells[0].rounds for t in (r.gather, r.uplink) if t for a in t.arcs
    }
    names = [device.name for device in TINY.devices[:3]]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    assert {frozenset(pair) in arcs for pair in pairs} == {True, False}
    for pair in pairs:
        failing = network(Fail(change="fail", round=6, source=pair[0], target=pair[1]))
        course = ClosedLoop(failing, plan, 10, GOAL, planner([]))
        assert course.looks(6, plan) == (frozenset(pair) in arcs)


def test_whom_the_plan_cannot_reach_is_worth_any_price_once_nobody_is_left() -> None:
    """A plan that reaches nobody leaves the run without end, and any other is better."""
    events = tuple(Leave(change="leave", round=2, device=d.name) for d in TINY.devices[:3])
    problem = network(*events)
    lonely = under_conditions(network(), Conditions(absent=tuple(d.name for d in TINY.devices[3:])))
    first = made(lonely, METHOD).plan
    found = loop(problem, planner([]), first=first)
    look = found.looks[0]
    assert (look.round, look.current, look.saving, look.adopted) == (3, None, None, True)
    assert look.rounds_left == 10 and look.proposed is not None


def test_nobody_is_planned_for_once_all_have_left() -> None:
    calls: list[Problem] = []
    events = tuple(Leave(change="leave", round=2, device=d.name) for d in TINY.devices)
    found = loop(network(*events), planner(calls))
    assert calls == [] and {look.reason for look in found.looks} == {"nobody is left to plan for"}
    assert found.taught == 1


def test_a_run_shorter_than_the_first_look_has_none() -> None:
    assert loop(network(), planner([]), rounds=4).looks == ()
    assert loop(network(Slow(change="slow", round=2, device=A, factor=0.5)), planner([]), rounds=2).looks == ()


def test_a_course_keeps_nothing_of_the_run() -> None:
    """What a resumed run asks a fresh course for is what the old one would have said."""
    problem = network(Leave(change="leave", round=2, device=A), Fade(change="fade", round=5, source=B, loss_db=30.0))
    first = made(problem).plan

    class Forgetful(ClosedLoop):
        def revise(self, so_far):  # type: ignore[no-untyped-def]
            return ClosedLoop(problem, first, 12, GOAL, planner([])).revise(so_far)

    again = rehearse(first, 12, Forgetful(problem, first, 12, GOAL, planner([])))
    whole = rehearse(first, 12, ClosedLoop(problem, first, 12, GOAL, planner([])))
    assert again.looks == whole.looks and again.revisions == whole.revisions and again.cost == whole.cost
    assert whole.revisions


def test_what_a_loop_does_is_told_in_words() -> None:
    told: list[str] = []
    problem = network(Fade(change="fade", round=2, source=B, loss_db=30.0))
    first = made(problem).plan
    rehearse(first, 40, ClosedLoop(problem, first, 40, GOAL, planner([]), told.append))
    assert told[0] == f"round 4: links of {B} changed by -30.0 dB; planning anew"
    assert told[1].startswith("from round 5 on another plan")
