"""Whether looking pays: changes that last, met by a plan that stays and by one that is looked at."""

from __future__ import annotations

import pytest

from hffm_opt import api
from hffm_opt.bench.overhead import with_samples
from hffm_opt.loop.closed import ClosedLoop
from hffm_opt.loop.rehearsal import Rehearsal, rehearse
from hffm_opt.loop.static import StaticCourse
from hffm_opt.looping import goal_of, loop_gap, replanner
from hffm_opt.plan.model import Plan
from hffm_opt.plan.schedule import run_cost
from hffm_opt.problem import Problem, build_problem
from hffm_opt.report.run import Run
from hffm_opt.scenario.changes import Change, Changes, DrawnChanges, Fade, Leave
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import Request, default_request

TINY = with_samples(load_scenario("tiny"), 4, 4)
ROUNDS, EVERY, SEEDS = 20, 4, range(10)


def drifting(seed: int) -> Scenario:
    """What happens is drawn, about eight times in a run, and lasts."""
    drawn = DrawnChanges(seed=seed, rounds=ROUNDS, per_round=0.4, mean_rounds=1e6, loss_db=30.0)
    return load_scenario("tiny").model_copy(update={"changes": Changes(drawn=drawn)})


def request_of(scenario: Scenario) -> Request:
    return default_request(scenario, gap=loop_gap(build_problem(scenario)))


@pytest.fixture(scope="module")
def first() -> Plan:
    """Plans are not told of changes: it is the same for all."""
    scenario = load_scenario("tiny")
    return solve(build_problem(scenario), "optimal", request_of(scenario)).plan


def looked_at(problem: Problem, first: Plan, rounds: int = ROUNDS, every: int = EVERY) -> Rehearsal:
    request = request_of(problem.scenario)
    return rehearse(
        first, rounds, ClosedLoop(problem, first, rounds, goal_of(request, every), replanner("optimal", request))
    )


def value(found: Rehearsal) -> float:
    """Seconds and half the joules, as tiny weighs them, for as much training as all rounds of everybody."""
    return (found.cost.latency_s + 0.5 * found.cost.energy_j) * ROUNDS / found.taught


def test_looking_pays_where_networks_drift(first: Plan) -> None:
    """In at least nine cases of ten, and never at more than the cost of telling devices."""
    better = 0
    for seed in SEEDS:
        problem = build_problem(drifting(seed))
        still, loop = rehearse(first, ROUNDS, StaticCourse(problem)), looked_at(problem, first)
        spent = sum(look.cost for look in loop.looks if look.adopted)
        assert value(loop) <= value(still) + spent + 1e-9, seed
        better += value(loop) < value(still)
    assert better >= 9


def test_without_drift_nothing_is_planned_anew(first: Plan) -> None:
    problem = build_problem(load_scenario("tiny"))
    found = looked_at(problem, first)
    assert found.looks and found.revisions == ()
    assert found.cost == run_cost(problem, first, ROUNDS) == rehearse(first, ROUNDS, StaticCourse(problem)).cost


LEFT = Leave(change="leave", round=2, device=TINY.devices[1].name)
FADE = Fade(change="fade", round=5, source=TINY.devices[4].name, loss_db=30.0)


def drifting_run(*events: Change, **more: object) -> tuple[Scenario, Run]:
    scenario = TINY.model_copy(update={"changes": Changes(events=events or (LEFT, FADE))})
    return scenario, api.run_loop(scenario, rounds=8, replan_every=2, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("objective", ["weighted", "latency", "energy"])
def test_a_run_decides_as_it_was_rehearsed(objective: str) -> None:
    scenario, run = drifting_run(objective=objective, method="h-fedfm-2+best-head+mst")
    request = default_request(scenario, objective=objective)
    replan = replanner("h-fedfm-2+best-head+mst", request)
    course = ClosedLoop(run.problem, run.plan, 8, goal_of(request, 2), replan)
    found = rehearse(run.plan, 8, course)
    assert found.looks == run.trace.looks and found.revisions == run.trace.revisions
    assert found.cost.latency_s == pytest.approx(run.measurement.measured.latency_s, rel=1e-9)
    assert found.cost.energy_j == pytest.approx(run.measurement.measured.energy_j, rel=1e-9)
    assert found.taught == pytest.approx(sum(record.participation for record in run.trace.rounds))
    assert run.trace.revisions
    goal = run.trace.header.goal
    assert (
        goal is not None
        and goal.weights == {"weighted": (1, 0.5, 0), "latency": (1, 0, 0), "energy": (0, 1, 0)}[objective]
    )


def test_what_was_promised_is_saved_if_nothing_else_happens() -> None:
    _, run = drifting_run(LEFT, method="h-fedfm-2+best-head+mst")
    (found,) = run.measurement.replans
    assert (found.round, found.rounds) == (3, 6)
    assert found.predicted_saving == pytest.approx(found.realised_saving, rel=1e-9)


def test_a_limit_on_drift_is_kept_by_all_plans_of_a_loop() -> None:
    _, run = drifting_run(max_drift=0.0)
    periods = {item.cloud for each in (run.plan, *(r.plan for r in run.trace.revisions)) for item in each.circulation}
    assert periods == {1}


def test_a_trained_run_without_drift_keeps_its_plan() -> None:
    """Though training measures how far copies stand apart: a goal without a target asks for no such thing."""
    run = api.run_loop(TINY, rounds=5, replan_every=2)
    assert [(look.cause, look.adopted) for look in run.trace.looks] == [("nothing has changed", False)] * 2
    assert all(record.divergence for record in run.trace.rounds if record.round in (2, 4))
    assert run.trace.revisions == () and run.measurement.replans == ()
