"""Time and energy to an accuracy against the whole decision space, by trying everything."""

import dataclasses

import numpy as np
import pytest
from accuracy_cases import CURVES, OBJECTIVES, STEEP, without_drift_limit
from free_enumeration import BruteForce
from joint_enumeration import circulations, whole_space

from hffm_opt import random_scenario
from hffm_opt.errors import InfeasibleError
from hffm_opt.plan import evaluate_plan
from hffm_opt.plan.circulation import drift, tiers, top_kind, uniform
from hffm_opt.problem import build_problem
from hffm_opt.solvers import optimal as optimal_method
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import default_request


def aimed(problem, objective, curve, **changes):
    given, target = CURVES[curve]
    return default_request(problem.scenario, objective=objective, curve=given, target=target, **changes)


def totals(request, points):
    """Return the objective of enumerated (latency, energy, Phi), infinite where it is never reached."""
    column = 0 if request.objective == "time-to-accuracy" else 1
    rounds = request.curve.rounds_to(request.target, points[:, 2])
    reached = np.isfinite(rounds)
    return np.where(reached, points[:, column] * np.where(reached, rounds, 0.0), np.inf)


def hold_against(problem, points, request):
    """Plan, and hold value, bound and limits against the enumerated points."""
    limits = [np.inf if limit is None else limit for limit in (request.max_latency_s, request.max_energy_j)]
    kept = points[(points[:, :2] <= np.array(limits) * (1 + 1e-9)).all(axis=1)]
    least = float(totals(request, kept).min(initial=np.inf))
    if least == np.inf:
        with pytest.raises(InfeasibleError):
            solve(problem, "optimal", request)
        return
    outcome = solve(problem, "optimal", request)
    assert outcome.status == "optimal"
    assert least * (1 - 1e-7) <= outcome.objective <= least * (1 + request.gap) + 1e-12
    assert outcome.bound <= least * (1 + 1e-7)
    verdict = evaluate_plan(problem, outcome.plan, request.max_drift)
    assert verdict.feasible
    figure = verdict.latency_s if request.objective == "time-to-accuracy" else verdict.energy_j
    assert outcome.objective == outcome.rounds_to_target * figure
    assert outcome.rounds_to_target == request.curve.rounds_to(request.target, verdict.drift)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("curve", CURVES)
def test_tiny_plan_is_the_best_of_all(tiny, objective, curve):
    hold_against(*tiny, aimed(tiny[0], objective, curve, gap=1e-6))


@pytest.mark.parametrize("profile", ["si", "reference"])
@pytest.mark.parametrize("seed", range(8))
def test_plan_is_the_best_of_all_on_random_networks(seed, profile):
    """Half of them without a limit on Phi, where the steep curve puts circulations out of reach."""
    scenario = random_scenario(seed, cells=1 + seed % 2, devices=(1, 3), modules=1 + seed // 2 % 2, profile=profile)
    problem = build_problem(without_drift_limit(scenario) if seed % 4 < 2 else scenario)
    points = whole_space(problem)
    for objective in OBJECTIVES:
        for curve in CURVES:
            hold_against(problem, points, aimed(problem, objective, curve))


@pytest.mark.parametrize("seed", range(3))
def test_limits_are_kept_at_least_cost_or_proven_impossible(seed):
    scenario = random_scenario(seed, cells=1 + seed % 2, devices=(1, 3), modules=1 + seed % 2, periods=(1, 2, 4))
    problem = build_problem(without_drift_limit(scenario))
    points = whole_space(problem)
    for objective in OBJECTIVES:
        for curve in CURVES:
            free = aimed(problem, objective, curve)
            reached = points[np.isfinite(totals(free, points))]
            for limit, column in (("max_latency_s", 0), ("max_energy_j", 1)):
                least = float(reached[:, column].min())
                for factor in (0.9, 1.0 + 1e-5, 1.5):
                    request = dataclasses.replace(free, **{limit: factor * least + 1e-9 * (factor > 1)})
                    hold_against(problem, points, request)


@pytest.mark.parametrize("seed", range(8))
def test_table_and_intervals_find_the_same_optimum(seed, monkeypatch):
    """Two engines: all circulations in a table, and branch and bound over Phi on the relaxed programs."""
    scenario = random_scenario(seed, cells=1 + seed % 2, devices=(1, 3), modules=1 + seed % 2, periods=(1, 2, 4))
    problem = build_problem(without_drift_limit(scenario))
    request = aimed(problem, OBJECTIVES[seed % 2], tuple(CURVES)[seed % 3], gap=1e-5)
    listed = solve(problem, "optimal", request)
    monkeypatch.setattr(optimal_method, "MOST", 0)
    again = solve(problem, "optimal", request)
    assert again.status == "optimal"
    assert again.objective == pytest.approx(listed.objective, rel=2e-5, abs=1e-12)
    assert again.bound <= listed.objective * (1 + 1e-9)


@pytest.mark.parametrize("seed", [1, 3, 6])
def test_free_allocation_is_the_best_of_all_circulations_and_trees(seed):
    """With one cell a cycle's seconds are a sum over phases, so each phase's fastest tree makes the fastest plan."""
    scenario = random_scenario(
        seed,
        cells=1,
        devices=2,
        modules=1,
        periods=(1, 2),
        allocation="optimised",
        sharing="dedicated" if seed % 2 else "shared",
    )
    problem = build_problem(without_drift_limit(scenario))
    brute = BruteForce(problem)
    for curve in CURVES:
        request = aimed(problem, "time-to-accuracy", curve)
        values = []
        for circulation in circulations(problem):
            rounds = float(request.curve.rounds_to(request.target, drift(problem, circulation)))
            if rounds == np.inf:
                continue
            top = top_kind(circulation)
            states = [tuple(tiers(circulation, kind).tolist()) for kind in range(top + 1)]
            shares = [2.0 ** -(kind + 1) for kind in range(top)] + [2.0**-top]
            # A little of the energy keeps the engine's program bounded; it can only add to the least seconds.
            costs = (brute.support(0, state, 1.0, 1.0, 1e-9) for state in states)
            seconds = sum(share * cost for share, cost in zip(shares, costs, strict=True))
            values.append(rounds * seconds)
        least = min(values)
        outcome = solve(problem, "optimal", request)
        assert outcome.bound <= least * (1 + 1e-6)
        assert least * (1 - 1e-5) <= outcome.objective <= least * (1 + request.gap)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_held_circulation_is_planned_for_its_own_rounds(tiny, objective):
    problem, points = tiny
    for periods in ((None, 1, 2), (1, 2, 4), (None, None, 1)):
        held = uniform(problem, *periods)
        request = aimed(problem, objective, "slowed", circulation=held)
        outcome = solve(problem, "optimal", request)
        least = totals(request, points[np.isclose(points[:, 2], drift(problem, held))]).min()
        assert outcome.status == "optimal"
        assert outcome.objective >= least * (1 - 1e-7)
        per_round = dataclasses.replace(request, objective="latency" if objective[0] == "t" else "energy")
        assert outcome.objective == pytest.approx(
            outcome.rounds_to_target * solve(problem, "optimal", per_round).objective, rel=1e-4
        )


def test_a_target_out_of_reach_is_proven_infeasible_in_words(tiny):
    problem, _ = tiny
    request = aimed(problem, "time-to-accuracy", "steep", circulation=uniform(problem, None, 1, 4))
    with pytest.raises(InfeasibleError, match="stays below the target at this drift: Phi = ") as caught:
        solve(problem, "optimal", request)
    assert caught.value.exit_code == 3
    planning = problem.scenario.planning.model_copy(update={"periods": (4,), "drift_max": None})
    seldom = build_problem(problem.scenario.model_copy(update={"planning": planning}))
    with pytest.raises(InfeasibleError, match=r"stays below the target.*add shorter periods"):
        solve(seldom, "optimal", dataclasses.replace(request, circulation=None))
    found = solve(problem, "h-fedfm-8", dataclasses.replace(request, circulation=None, max_drift=np.inf))
    assert not found.feasible and found.objective is None and found.rounds_to_target is None
    assert STEEP.rounds_to(0.3, found.drift) == np.inf


@pytest.mark.parametrize("seed", range(2))
def test_no_heuristic_beats_the_optimum(seed):
    allocation = ("fixed", "optimised")[seed % 2]
    scenario = random_scenario(seed, cells=2, devices=(1, 3), modules=2, periods=(1, 2, 4), allocation=allocation)
    problem = build_problem(without_drift_limit(scenario))
    for objective in OBJECTIVES:
        request = aimed(problem, objective, tuple(CURVES)[seed % 3], time_limit_s=60.0)
        best = solve(problem, "optimal", request)
        reached = 0
        for name in ("star", "h-fedfm-2", "fedlama", "relaxed-circulation", "greedy", "local-search"):
            other = solve(problem, name, request)
            if other.feasible:
                reached += 1
                assert other.objective >= best.bound * (1 - 1e-9)
                assert other.objective >= best.objective * (1 - request.gap)
        assert reached >= 3
