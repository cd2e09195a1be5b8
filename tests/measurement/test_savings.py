"""What changes of plan saved, worked out again from the referee's rounds and the learning curve."""

from __future__ import annotations

import math

import pytest

from hffm_opt.measurement.learned import learned, points_of
from hffm_opt.measurement.measure import measure
from hffm_opt.measurement.replans import promised, under_conditions
from hffm_opt.measurement.savings import replans_of
from hffm_opt.plan.carried import carried_out
from hffm_opt.plan.circulation import drift
from hffm_opt.plan.model import Plan
from hffm_opt.plan.notice import notice_cost
from hffm_opt.plan.schedule import run_cost
from hffm_opt.problem import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.changes import Changes, Leave
from hffm_opt.scenario.conditions import Conditions
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import Request
from hffm_opt.trace import AccuracyRecord, Ledger, Look, Revision, RoundRecord, RunHeader, Trace, provenance
from hffm_opt.trace.model import Goal

GONE, ROUNDS, CHANGE = "device-0-1", 12, 5
LEFT = Conditions(absent=(GONE,))
WEIGHTED = Goal(objective="weighted", weights=(2.0, 3.0, 0.5), looks_every=4)
TIMED = Goal(objective="time-to-accuracy", weights=(1.0, 0.0, 0.0), target=0.4, looks_every=4)


@pytest.fixture(scope="module")
def problem() -> Problem:
    """A relay leaves before the plan changes."""
    tiny = load_scenario("tiny")
    left = Leave(change="leave", round=3, device=GONE)
    return build_problem(tiny.model_copy(update={"changes": Changes(events=(left,))}))


def plan(problem: Problem, method: str) -> Plan:
    return solve(problem, method, Request(seed=1)).plan


def trace(
    problem: Problem,
    first: Plan,
    second: Plan,
    goal: Goal | None,
    accuracy: dict[int, float] | None = None,
    rounds: int = ROUNDS,
) -> Trace:
    records = []
    for number in range(1, rounds + 1):
        now = under_conditions(problem, LEFT if number >= 3 else Conditions())
        carried = carried_out(now, second if number >= CHANGE else first)
        records.append(
            RoundRecord(round=number, kind=0, end_s=0, energy_j=0, bits=0, participation=carried.participation)
        )
    measured = tuple(
        AccuracyRecord(
            round=number,
            phase="after-average",
            tier="cloud",
            task="digits",
            accuracy=value,
            devices=1,
            states=1,
            clock_s=0,
            energy_j=0,
        )
        for number, value in (accuracy or {}).items()
    )
    header = RunHeader(
        scenario=problem.scenario.name,
        fingerprint=problem.fingerprint,
        method=first.method,
        backbone="none",
        seed=0,
        rounds=ROUNDS,
        baseline={},
        provenance=provenance(),
        goal=goal,
    )
    look = Look(round=CHANGE, cause="it left", conditions=LEFT, current=9.0, saving=1.5, cost=0.25, adopted=True)
    return Trace(
        header=header,
        rounds=tuple(records),
        accuracy=measured,
        ledger=Ledger(),
        revisions=(Revision(round=CHANGE, plan=second, conditions=LEFT, notice_bits=(800, 1600)),),
        looks=(look,),
    )


def later(problem: Problem, made: Plan, first: int, last: int) -> tuple[float, float, float]:
    """Seconds, joules and full rounds of what a plan does from one round on, all cells having met just before."""
    carried = carried_out(under_conditions(problem, LEFT), made)
    whole, before = (run_cost(carried.problem, carried.plan, n) for n in (last, first - 1))
    taught = carried.participation * (last - first + 1)
    return whole.latency_s - before.latency_s, whole.energy_j - before.energy_j, taught


def test_without_a_target_as_many_full_rounds_are_charged_to_both_plans(problem: Problem) -> None:
    first, second = plan(problem, "h-fedfm-2+d2d"), plan(under_conditions(problem, LEFT), "h-fedfm-4")
    (found,) = replans_of(problem, first, trace(problem, first, second, WEIGHTED))
    old, new = later(problem, first, 5, 12), later(problem, second, 5, 12)
    assert new[2] == 8 and old[2] < 8
    seconds, joules = (old[i] / old[2] * 8 - new[i] for i in (0, 1))
    apart = 8 * (drift(problem, first.circulation) - drift(problem, second.circulation))
    assert (found.round, found.rounds, found.cause) == (5, 8, "it left")
    assert (found.predicted_saving, found.cost) == (1.5, 0.25)
    assert (found.saved_s, found.saved_j) == (pytest.approx(seconds), pytest.approx(joules))
    assert found.realised_saving == pytest.approx(2 * seconds + 3 * joules + 0.5 * apart)
    assert apart != 0


def test_a_plan_that_would_have_reached_nobody_saves_without_end(problem: Problem) -> None:
    first = plan(problem, "h-fedfm-2+d2d")
    alone = under_conditions(problem, LEFT)
    nobody = first.model_copy(
        update={
            "cells": tuple(
                cell.model_copy(
                    update={
                        "rounds": tuple(
                            r.model_copy(update={"gather": None, "scatter": None, "uplink": None, "downlink": None})
                            for r in cell.rounds
                        )
                    }
                )
                for cell in first.cells
            )
        }
    )
    (found,) = replans_of(problem, nobody, trace(problem, nobody, plan(alone, "h-fedfm-4"), WEIGHTED))
    assert (found.saved_s, found.saved_j, found.realised_saving) == (None, None, None)


def test_a_change_of_plan_in_which_nothing_was_run_any_more_saved_nothing(problem: Problem) -> None:
    """Interrupted right after devices were told of it."""
    first, second = plan(problem, "h-fedfm-2+d2d"), plan(under_conditions(problem, LEFT), "h-fedfm-4")
    for goal in (WEIGHTED, TIMED):
        (found,) = replans_of(problem, first, trace(problem, first, second, goal, {4: 0.1}, rounds=CHANGE - 1))
        assert (found.rounds, found.saved_s, found.saved_j, found.realised_saving) == (0, 0.0, 0.0, 0.0)


def test_runs_that_nobody_looked_at_have_no_replans(problem: Problem) -> None:
    first = plan(problem, "h-fedfm-2+d2d")
    run = trace(problem, first, plan(under_conditions(problem, LEFT), "h-fedfm-4"), None)
    assert replans_of(problem, first, run) == measure(problem, first, run).replans == ()


def test_with_a_target_both_plans_are_charged_the_same_progress(problem: Problem) -> None:
    """The new plan averages less often: its rounds are cheaper, and teach less."""
    first, second = plan(problem, "h-fedfm-2"), plan(under_conditions(problem, LEFT), "h-fedfm-8")
    run = trace(problem, first, second, TIMED, {4: 0.15, 8: 0.22, 12: 0.27})
    (found,) = replans_of(problem, first, run)
    points = points_of(problem, run.plans(first), run.rounds, run.accuracy)
    curve = learned(problem, points).curve
    old_phi, new_phi = (drift(problem, each.circulation) for each in (first, second))
    assert old_phi < new_phi
    # Progress as in docs/surrogate.md: what was reached counts as so many rounds under the circulation that follows.
    start = float(curve.progress(4.0, old_phi))
    end = float(curve.progress(float(curve.rounds_of(start, new_phi)) + 8, new_phi))
    needed = float(curve.rounds_of(end, old_phi)) - 4.0
    assert 0 < needed < 8
    old, new = later(problem, first, 5, 12), later(problem, second, 5, 12)
    assert found.saved_s == pytest.approx(needed * old[0] / old[2] - new[0], rel=1e-6)
    assert found.saved_j == pytest.approx(needed * old[1] / old[2] - new[1], rel=1e-6)
    assert found.realised_saving == found.saved_s


def test_with_the_same_circulation_the_progress_is_that_of_the_rounds(problem: Problem) -> None:
    first, second = plan(problem, "h-fedfm-2+d2d"), plan(under_conditions(problem, LEFT), "h-fedfm-2")
    accuracy = {4: 0.15, 12: 0.27}
    timed, plain = (replans_of(problem, first, trace(problem, first, second, g, accuracy)) for g in (TIMED, WEIGHTED))
    phi = [drift(problem, each.circulation) for each in (first, second)]
    assert phi[0] == phi[1]
    assert timed[0].saved_s == pytest.approx(plain[0].saved_s)
    assert timed[0].saved_j == pytest.approx(plain[0].saved_j)


def test_rounds_after_the_target_was_reached_save_nothing(problem: Problem) -> None:
    first, second = plan(problem, "h-fedfm-2+d2d"), plan(under_conditions(problem, LEFT), "h-fedfm-2")
    (part,) = replans_of(problem, first, trace(problem, first, second, TIMED, {4: 0.3, 8: 0.41, 12: 0.45}))
    (none,) = replans_of(problem, first, trace(problem, first, second, TIMED, {4: 0.41, 12: 0.45}))
    old, new = later(problem, first, 5, 8), later(problem, second, 5, 8)
    assert part.rounds == 4
    assert part.saved_s == pytest.approx(old[0] / old[2] * 4 - new[0])
    assert (none.rounds, none.saved_s, none.realised_saving) == (0, 0.0, 0.0)


def test_plans_promise_what_they_cost_in_the_networks_that_they_were_made_for(problem: Problem) -> None:
    first, second = plan(problem, "h-fedfm-2+d2d"), plan(under_conditions(problem, LEFT), "h-fedfm-4")
    run = trace(problem, first, second, WEIGHTED)
    seconds, joules = notice_cost(problem, (800, 1600))
    before = run_cost(problem, first, 4)
    after = later(problem, second, 5, 12)
    found = promised(problem, first, run)
    assert found.energy_j == pytest.approx(before.energy_j + after[1] + joules)
    assert found.bits > before.bits and math.isfinite(found.bits)
    # Cells have met after round 4, so that what they are told delays each by at most the longest.
    whole = before.latency_s + after[0]
    assert whole < found.latency_s <= whole + seconds.max() + 1e-12
