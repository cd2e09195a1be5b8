"""Plans where edge servers cannot send to some or all of their devices, against the whole decision space."""

import numpy as np
import pytest
from joint_enumeration import whole_space

from hffm_opt import random_scenario
from hffm_opt.errors import InfeasibleError
from hffm_opt.plan import evaluate_plan
from hffm_opt.problem import build_problem
from hffm_opt.scenario.model import Cloud, LinkGain, Radio
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import default_request

SEEDS = range(9)


def deafened(seed, allocation="fixed"):
    """A network of which one device, or every one, hears no edge server; every second has no direct links."""
    scenario = random_scenario(seed, cells=1 + seed % 2, devices=3, modules=1, periods=(1, 2), allocation=allocation)
    deaf = scenario.devices if seed % 3 == 0 else scenario.devices[:1]
    gains = [LinkGain(source=e.name, target=d.name, factor=0.0) for e in scenario.edges for d in deaf]
    links = {"radio": Radio(gains=tuple(gains))} | ({"cloud": Cloud()} if seed % 2 else {})
    return build_problem(scenario.model_copy(update=links))


def reached(problem):
    """The costs of all plans whose events reach everyone."""
    points = whole_space(problem)
    return points[np.isfinite(points).all(axis=1)]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_plan_is_the_best_of_all_that_reach_everyone(seed):
    problem = deafened(seed)
    points, request = reached(problem), default_request(problem.scenario, gap=1e-6)
    if not len(points):
        with pytest.raises(InfeasibleError, match="no links lead into the edge server and back"):
            solve(problem, "optimal", request)
        return
    outcome = solve(problem, "optimal", request)
    assert outcome.objective == pytest.approx(float((points @ np.array(request.weights())).min()), rel=1e-6)
    assert evaluate_plan(problem, outcome.plan).feasible


@pytest.mark.parametrize("seed", SEEDS)
def test_free_allocation_finds_a_plan_where_there_is_one(seed):
    problem = deafened(seed, "optimised")
    request = default_request(problem.scenario, gap=0.01)
    if not len(reached(deafened(seed))):
        with pytest.raises(InfeasibleError, match="no links lead into the edge server and back"):
            solve(problem, "optimal", request)
    else:
        assert evaluate_plan(problem, solve(problem, "optimal", request).plan).feasible


def test_the_random_networks_hold_both_kinds():
    assert {bool(len(reached(deafened(seed)))) for seed in SEEDS} == {True, False}
