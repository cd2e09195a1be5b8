"""Branch and bound over Phi against trying everything, with solvers that are exact, sloppy or stopped."""

import math
import time

import numpy as np
import pytest
from accuracy_cases import CURVES

from hffm_opt import random_scenario
from hffm_opt.plan.circulation import drift
from hffm_opt.problem import build_problem
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.drift_search import halves, last_within, search_by_drift
from hffm_opt.solvers.joint.search import Found, Judged
from hffm_opt.solvers.joint.states import all_states, circulation_of


def problem_and_costs(seed):
    """Return a problem, and circulations in two kinds of round with their Phi and a made-up cost each."""
    problem = build_problem(random_scenario(seed, cells=1, devices=2, modules=2, periods=(1, 2)))
    rows = [
        (before, after)
        for before in all_states(problem)
        for after in all_states(problem)
        if all(a <= b for a, b in zip(before, after, strict=True))
    ]
    phi = np.array([drift(problem, circulation_of(problem, row)) for row in rows])
    rng = np.random.default_rng(seed)
    # The more drift, the cheaper, roughly: else there is nothing to weigh.
    cost = 1.0 / (1.0 + np.argsort(np.argsort(phi)) / phi.size) * rng.uniform(0.7, 1.3, phi.size)
    return problem, rows, phi, cost


def solver(rows, phi, cost, share, asked):
    """Return what finds a row within a share of the least cost under a limit on Phi, and as weak a bound."""

    def solve(limit):
        asked.append(limit)
        within = np.flatnonzero(phi <= limit * (1 + 1e-9))
        if not within.size:
            return Found(None, math.inf, "proven", 1)
        near = within[cost[within] <= cost[within].min() * (1 + share)]
        pick = near[-1]
        bound = float(cost[within].min()) * (1 - share)
        return Found(Judged(rows[pick], float(cost[pick]), bound), bound, "proven", 1)

    return solve


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("seed", range(6))
def test_the_least_product_is_found_and_never_overestimated(seed, curve):
    problem, rows, phi, cost = problem_and_costs(seed)
    given, target = CURVES[curve]
    weights = Weights(1.0, 0.0, 0.0, rounds=lambda x: given.rounds_to(target, x))
    rounds = given.rounds_to(target, phi)
    least = float((cost * rounds).min())
    for share in (0.0, 0.02):
        asked = []
        found = search_by_drift(problem, solver(rows, phi, cost, share, asked), weights, 1e-6, math.inf)
        assert found.reason == "proven"
        assert found.bound <= least * (1 + 1e-9)
        # What the solver leaves open twice, above and below, stays open; what the steps on Phi cost is far less.
        assert least * (1 - 1e-9) <= found.best.value <= least * (1 + 2.2 * share + 1e-4)
        assert found.bound >= least * (1 - 2.2 * share - 1e-4)
        assert len(asked) < phi.size


def test_a_deadline_leaves_a_bound_that_holds():
    problem, rows, phi, cost = problem_and_costs(1)
    given, target = CURVES["slowed"]
    weights = Weights(1.0, 0.0, 0.0, rounds=lambda x: given.rounds_to(target, x))
    solve = solver(rows, phi, cost, 0.0, [])
    late = search_by_drift(problem, solve, weights, 1e-6, time.perf_counter() - 1.0)
    assert late.best is None and late.reason == "time limit" and late.bound == 0.0
    never = Weights(1.0, 0.0, 0.0, rounds=lambda x: np.full(np.shape(x), np.inf))
    assert search_by_drift(problem, solve, never, 1e-6, math.inf).bound == math.inf


def test_intervals_are_cut_in_the_middle_of_the_rounds():
    weights = Weights(1.0, 0.0, 0.0, rounds=lambda x: np.exp(np.asarray(x)))
    (low, middle), (again, high) = halves(weights, 0.0, 8.0, 1e-3)
    assert (low, high) == (0.0, 8.0) and middle == again == pytest.approx(4.0)
    assert halves(weights, 0.0, 1e-5, 1e-3) == [(0.0, 1e-5)]
    cut = Weights(1.0, 0.0, 0.0, rounds=lambda x: np.where(np.asarray(x) <= 3.0, 1.0, np.inf))
    assert last_within(cut, 0.0, 8.0, math.inf) == pytest.approx(3.0)
    assert last_within(cut, 4.0, 8.0, math.inf) is None
