"""More modules than the exact search takes: leaving modules out never costs more, and the plan is the referee's."""

from __future__ import annotations

import pytest
from accuracy_cases import CURVES, OBJECTIVES

from hffm_opt.errors import InfeasibleError
from hffm_opt.plan.referee import evaluate_plan
from hffm_opt.problem import build_problem
from hffm_opt.scenario.builtin import BUILTINS
from hffm_opt.scenario.builtin.random_network import random_scenario
from hffm_opt.solvers.joint.many_modules import heaviest, plan_many
from hffm_opt.solvers.optimal import optimal
from hffm_opt.solvers.registry import certify, solve
from hffm_opt.solvers.request import default_request

ALLOCATIONS = ("fixed", "fixed", "optimised")


@pytest.mark.parametrize("seed", range(12))
def test_what_fewer_modules_cost_at_least_bounds_all(seed):
    allocation = ALLOCATIONS[seed % 3]
    scenario = random_scenario(
        seed, cells=1 + seed % 2, devices=(1, 3), modules=3, periods=(1, 2), profile="si", allocation=allocation
    )
    problem = build_problem(scenario)
    request = default_request(scenario, gap=1e-4, time_limit_s=20.0)
    try:
        whole = optimal(problem, request)
    except InfeasibleError:
        return
    verdict = evaluate_plan(problem, whole.plan)
    value = request.value(verdict.latency_s, verdict.energy_j, verdict.drift)
    for count in (1, 2):
        part = heaviest(problem, count)
        assert len(part.modules) == count
        assert optimal(part, request).bound <= value * (1 + 1e-9)
    found = plan_many(heaviest(problem, 3), request, lambda p, r, tell: optimal(p, r, tell), None)
    again = evaluate_plan(problem, found.plan)
    assert again.feasible
    assert found.bound <= request.value(again.latency_s, again.energy_j, again.drift)
    assert request.value(again.latency_s, again.energy_j, again.drift) >= whole.bound * (1 - 1e-9)


def test_under_the_published_arithmetic_nothing_is_proven():
    """A plan without the heavy module at the cloud has to hand in its result, which costs more than it saves."""
    scenario = random_scenario(37, cells=2, devices=(1, 3), modules=3, periods=(1, 2, 4), profile="reference")
    problem = build_problem(scenario)
    request = default_request(scenario)
    found = plan_many(problem, request, lambda p, r, tell: optimal(p, r, tell), None)
    assert found.bound == 0.0
    assert "nothing is proven" in found.stop_reason
    assert evaluate_plan(problem, found.plan).feasible


def test_the_network_of_thirteen_modules_is_planned_with_a_bound():
    problem = build_problem(BUILTINS["m3t"]())
    request = default_request(problem.scenario, time_limit_s=120.0)
    found = optimal(problem, request)
    verdict = evaluate_plan(problem, found.plan)
    assert verdict.feasible
    value = request.value(verdict.latency_s, verdict.energy_j, verdict.drift)
    assert 0.9 * value < found.bound <= value
    assert "circulation" in found.optimised
    assert "5 heaviest modules" in found.stop_reason


@pytest.mark.parametrize("seed", [0, 3, 7])
def test_rounds_to_an_accuracy_of_fewer_modules_bound_those_of_all(seed):
    """Without a module Phi has a term less, so that no more rounds are needed, and none of them costs more."""
    scenario = random_scenario(seed, cells=1 + seed % 2, devices=(1, 3), modules=3, periods=(1, 2), profile="si")
    problem = build_problem(scenario)
    curve, target = CURVES["slowed"]
    request = default_request(
        scenario, objective=OBJECTIVES[seed % 2], target=target, curve=curve, max_drift=float("inf")
    )
    whole = solve(problem, "optimal", request)
    for count in (1, 2):
        assert optimal(heaviest(problem, count), request).bound <= whole.objective * (1 + 1e-9)
    found = certify(problem, request, "optimal", plan_many(problem, request, _planner, None))
    assert found.feasible and found.bound <= whole.objective * (1 + 1e-9)
    assert found.objective >= whole.bound * (1 - 1e-9)


def _planner(problem, request, progress):
    return optimal(problem, request, progress)
