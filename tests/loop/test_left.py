"""What is left of a run: its rounds, or those that its accuracy still asks for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hffm_opt.loop.left import CurveFromHere, WhatIsLeft
from hffm_opt.plan.circulation import drift
from hffm_opt.plan.model import Plan
from hffm_opt.problem import Problem, build_problem
from hffm_opt.scenario.learning_curve import PUBLISHED_CURVE
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import Request
from hffm_opt.trace import AccuracyRecord, LedgerColumns, RoundRecord
from hffm_opt.trace.course import SoFar
from hffm_opt.trace.model import Goal

WEIGHTED = Goal(objective="weighted", weights=(2.0, 3.0, 0.5), looks_every=4)
DRIFTS = np.array([0.0, 1.0, 10.0, 1e3, 1e6, math.inf])


def aimed(target: float) -> Goal:
    return Goal(objective="energy-to-accuracy", weights=(0.0, 1.0, 0.0), target=target, looks_every=4)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return build_problem(load_scenario("tiny"))


@pytest.fixture(scope="module")
def plan(problem: Problem) -> Plan:
    return solve(problem, "h-fedfm-2", Request()).plan


def so_far(plan: Plan, accuracy: dict[int, float], rounds: int = 8) -> SoFar:
    records = [RoundRecord(round=n, kind=0, end_s=0, energy_j=0, bits=0) for n in range(1, rounds + 1)]
    found = [
        AccuracyRecord(
            round=number,
            phase="after-average",
            tier="cloud",
            task=task,
            accuracy=value + shift,
            devices=1,
            states=1,
            clock_s=0,
            energy_j=0,
        )
        for number, value in accuracy.items()
        for task, shift in (("digits", 0.02), ("shapes", -0.02))
    ]
    return SoFar(plan, records, found, LedgerColumns(), (), (), ())


def test_a_budget_of_rounds_is_left_whatever_the_drift(problem: Problem, plan: Plan) -> None:
    left = WhatIsLeft.of(WEIGHTED, so_far(plan, {4: 0.2}), problem, plan, budget=7)
    assert (left.curve, left.rounds(0.0), left.rounds(1e9)) == (None, 7.0, 7.0)
    assert left.weigh(10.0, 100.0) == 2 * 10 + 3 * 100
    assert left.total(10.0, 100.0, 4.0) == 7 * (320 + 0.5 * 4)
    assert left.total(math.inf, 1.0, 0.0) == math.inf
    assert left.share(1e9, 0.5) == 1.0


def test_rounds_from_here_are_those_of_the_curve_less_those_passed() -> None:
    curve = CurveFromHere(**PUBLISHED_CURVE.model_dump(), done=5.0)
    for target in (0.2, 0.3, 0.4, 0.5):
        aim = PUBLISHED_CURVE.progress_to(target)
        found = curve.rounds_to(target, DRIFTS)
        expected = (
            PUBLISHED_CURVE.rounds_of(aim, DRIFTS) - PUBLISHED_CURVE.rounds_of(5.0, DRIFTS) if aim > 5 else 0 * DRIFTS
        )
        finite = np.isfinite(found)
        assert found[finite] == pytest.approx(expected[finite])
        assert (np.diff(found[finite]) >= -1e-9).all()
    assert curve.rounds_to(0.9, 0.0) == math.inf


@pytest.mark.parametrize("done", [0.0, 0.5, 3.0, 20.0, 27.0, 60.0])
def test_rounds_left_never_fall_as_the_drift_grows_nor_as_the_target_rises(done: float) -> None:
    curve = CurveFromHere(**PUBLISHED_CURVE.model_dump(), done=done)
    drifts = np.concatenate([[0.0], np.geomspace(1e-3, 1e8, 200), [math.inf]])
    rows = np.array([curve.rounds_to(target, drifts) for target in np.linspace(0.05, 0.51, 24)])
    for axis in (0, 1):
        later, sooner = np.delete(rows, 0, axis), np.delete(rows, -1, axis)
        assert (np.isinf(later) | (later >= sooner - 1e-9 * (1 + np.where(np.isinf(sooner), 0, sooner)))).all()
    assert (rows >= 0).all()


def test_what_is_reached_asks_for_no_rounds(problem: Problem, plan: Plan) -> None:
    done = WhatIsLeft.of(aimed(0.3), so_far(plan, {4: 0.31, 8: 0.29}), problem, plan, budget=9)
    assert done.rounds(0.0) == done.rounds(1e6) == 0.0 and done.total(1.0, 5.0, 3.0) == 0.0
    assert done.share(0.0, 1.0) == 1.0


def test_a_target_is_as_far_as_the_accuracies_say(problem: Problem, plan: Plan) -> None:
    phi = drift(problem, plan.circulation)
    slow, fast = (
        WhatIsLeft.of(aimed(0.5), so_far(plan, found), problem, plan, budget=9)
        for found in ({2: 0.1, 4: 0.15, 6: 0.19, 8: 0.22}, {2: 0.2, 4: 0.3, 6: 0.38, 8: 0.44})
    )
    assert 0 < fast.rounds(phi) < slow.rounds(phi)
    # Nine rounds with all samples go so far; with a third of the samples, a third.
    assert slow.share(phi, 1.0) == pytest.approx(9 / slow.rounds(phi))
    assert slow.share(phi, 1 / 3) == pytest.approx(3 / slow.rounds(phi))
    assert slow.total(1.0, 5.0, phi) == pytest.approx(5 * slow.rounds(phi))


def test_a_target_beyond_the_curve_leaves_the_rounds_of_the_run(problem: Problem, plan: Plan) -> None:
    left = WhatIsLeft.of(aimed(0.999), so_far(plan, {2: 0.1, 4: 0.11, 6: 0.11, 8: 0.11}), problem, plan, budget=9)
    assert left.curve is None and left.rounds(5.0) == 9.0


def test_a_run_that_was_not_evaluated_is_taken_to_learn_as_published(problem: Problem, plan: Plan) -> None:
    left = WhatIsLeft.of(aimed(0.4), so_far(plan, {}), problem, plan, budget=9)
    assert left.curve is not None and left.curve.final == PUBLISHED_CURVE.final
    assert 0 < left.curve.done < 8
