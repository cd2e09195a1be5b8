"""How the search ends, with judges made for the purpose; and the schedule and the filter of ways."""

import itertools

import numpy as np
import pytest
from joint_enumeration import minima

from hffm_opt import random_scenario
from hffm_opt.plan.circulation import uniform
from hffm_opt.problem import build_problem
from hffm_opt.solvers.engines.highs import HighsOptions
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.circulation import Master
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.fixed_rounds import FixedRounds
from hffm_opt.solvers.joint.rounds import RoundChoice, RoundOptions, nondominated
from hffm_opt.solvers.joint.schedule import best_schedule
from hffm_opt.solvers.joint.search import Judged, price_grid, search
from hffm_opt.solvers.joint.states import possible_states, states_of
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import default_request

WEIGHTS = Weights(1.0, 1.0, 0.0)


@pytest.fixture(scope="module")
def problem():
    scenario = random_scenario(12, cells=2, devices=(1, 2), modules=1, periods=(1, 2))
    return build_problem(
        scenario.model_copy(update={"planning": scenario.planning.model_copy(update={"drift_max": None})})
    )


def masters_of(problem, weights=WEIGHTS):
    rounds = FixedRounds(problem)

    def support(cell, state, price):
        return rounds.support(cell, state, *price)

    return {
        first: Master(problem, possible_states(problem), Calendar.of(problem, 1, first), weights, support, None, None)
        for first in (None, 0, 1)
    }


def run(problem, judge, gap=1e-4, time_limit_s=60.0):
    return search(problem, masters_of(problem), judge, WEIGHTS, gap=gap, time_limit_s=time_limit_s)


def test_no_plan_and_no_proof_is_undecided(problem):
    found = run(problem, lambda states, *_: Judged(states, np.inf, 1e-3))
    assert (found.best, found.reason) == (None, "undecided")


def test_no_plan_with_proof_is_proven(problem):
    found = run(problem, lambda states, *_: Judged(states, np.inf, np.inf))
    assert (found.best, found.reason, found.bound) == (None, "proven", np.inf)


def test_no_time_is_a_time_limit(problem):
    found = run(problem, lambda states, *_: Judged(states, 1.0, 1.0), time_limit_s=0.0)
    assert (found.best, found.reason) == (None, "time limit")


def test_a_weak_judge_leaves_a_gap_and_a_valid_bound(problem):
    """A judge whose bound lies 10 % below its value ends the search with every circulation judged."""
    truth = {}

    def judge(states, calendar, weights, cutoff=np.inf):
        del weights, cutoff
        rounds = FixedRounds(problem)
        ways = [[rounds.options(i, s) for s in states] for i in range(2)]
        value = best_schedule(calendar, WEIGHTS, ways, HighsOptions()).value
        truth[states] = value
        return Judged(states, value, 0.9 * value)

    found = run(problem, judge, gap=1e-6)
    assert found.best.value == pytest.approx(min(truth.values()))
    assert 0.9 * found.best.value * (1 - 1e-6) <= found.bound <= found.best.value


@pytest.mark.parametrize("seed", range(4))
def test_the_relaxation_lies_below_every_circulation(seed):
    """The master without cuts bounds the best plan of each of a few held circulations."""
    scenario = random_scenario(seed, cells=2, devices=(1, 3), modules=1, periods=(1, 2))
    problem = build_problem(scenario)
    request = default_request(scenario, max_drift=np.inf, drift_weight=0.0)
    weights = Weights(*request.weights())
    grid = price_grid(weights, 2)
    prices = [[grid] * 2] * 2
    bounds = {
        first: master.solve(prices, [], set(), HighsOptions()).bound
        for first, master in masters_of(problem, weights).items()
    }
    for periods in itertools.product((1, 2, None), repeat=3):
        finite = [p for p in periods if p is not None]
        if finite != sorted(finite):
            continue
        circulation = uniform(problem, *periods)
        states = states_of(circulation, 1)
        if not set(states) <= set(possible_states(problem)):
            continue
        first = next((kind for kind, state in enumerate(states) if max(state) == 3), None)
        held = solve(problem, "optimal", default_request(scenario, max_drift=np.inf, circulation=circulation))
        cost = request.value(held.latency_s, held.energy_j, 0.0)
        assert bounds[first] <= cost * (1 + 1e-9)


def test_only_undominated_ways_are_kept():
    rng = np.random.default_rng(0)
    points = rng.integers(0, 6, (60, 3)).astype(float)
    ways = nondominated(*points.T, tuple(RoundChoice(head=k) for k in range(60)))
    kept = np.column_stack([ways.before_s, ways.after_s, ways.energy_j])
    assert kept.tolist() == minima(points).tolist()
    assert all(points[choice.head].tolist() == row.tolist() for choice, row in zip(ways.choices, kept, strict=True))


@pytest.mark.parametrize("seed", range(6))
def test_the_schedule_is_the_best_of_all_choices(problem, seed):
    """Two cells, two kinds of round, three ways each: all 81 choices."""
    rng = np.random.default_rng(seed)
    first = (None, 0, 1)[seed % 3]
    calendar = Calendar.of(problem, 1, first)
    ways = []
    for _ in range(2):
        row = []
        for kind in range(2):
            after = rng.uniform(0, 1, 3) if first is not None and kind >= first else np.zeros(3)
            row.append(RoundOptions(rng.uniform(0, 1, 3), after, rng.uniform(0, 1, 3), (RoundChoice(),) * 3))
        ways.append(row)
    found = []
    for picks in itertools.product(range(3), repeat=4):
        b, a, e = (
            np.array([[getattr(ways[i][j], name)[picks[2 * i + j]] for j in range(2)] for i in range(2)])
            for name in ("before_s", "after_s", "energy_j")
        )
        if first == 0:
            seconds = b.max(axis=0).sum() + a.max(axis=0).sum()
        else:
            seconds = b.sum(axis=1).max() + (a[:, 1].max() if first == 1 else 0.0)
        found.append((seconds / 2, e.sum() / 2))
    found = np.array(found)
    for weights in (Weights(1, 1, 0), Weights(1, 0, 0), Weights(0, 1, 0), Weights(1, 1, 0, np.median(found[:, 0]))):
        kept = found[found[:, 0] <= weights.max_latency_s]
        schedule = best_schedule(calendar, weights, ways, HighsOptions())
        assert schedule.value == pytest.approx((kept @ [weights.latency, weights.energy]).min())
    assert best_schedule(calendar, Weights(1, 1, 0, found[:, 0].min() * 0.99), ways, HighsOptions()) is None
    # Of plans of equal latency, the one of least energy.
    quickest = found[found[:, 0] <= found[:, 0].min() * (1 + 1e-8)]
    schedule = best_schedule(calendar, Weights(1, 0, 0), ways, HighsOptions())
    energy = sum(ways[i][j].energy_j[schedule.chosen[i][j]] for i in range(2) for j in range(2)) / 2
    assert energy == pytest.approx(quickest[:, 1].min())
