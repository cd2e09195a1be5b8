"""The plan against the whole decision space, by trying everything."""

import dataclasses
import re

import numpy as np
import pytest
from joint_enumeration import Enumeration, whole_space

from hffm_opt import random_scenario
from hffm_opt.errors import InfeasibleError
from hffm_opt.plan import evaluate_plan
from hffm_opt.problem import build_problem
from hffm_opt.solvers.formulations.covering import covering
from hffm_opt.solvers.joint.fixed_rounds import FixedRounds
from hffm_opt.solvers.joint.states import possible_states
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import default_request

OBJECTIVES = ("weighted", "latency", "energy")


def hold_against(problem, points, gap=1e-4, **changes):
    """Plan, and hold value, bound and limits against the enumerated points."""
    request = dataclasses.replace(default_request(problem.scenario), gap=gap, **changes)
    outcome = solve(problem, "optimal", request)
    kept = points[
        (points[:, 0] <= (request.max_latency_s or np.inf) * (1 + 1e-9))
        & (points[:, 1] <= (request.max_energy_j or np.inf) * (1 + 1e-9))
    ]
    least = float((kept @ np.array(request.weights())).min())
    assert outcome.status == "optimal"
    assert least * (1 - 1e-7) <= outcome.objective <= least * (1 + gap) + 1e-12
    assert outcome.bound <= least * (1 + 1e-7)
    verdict = evaluate_plan(problem, outcome.plan)
    assert verdict.feasible
    assert verdict.latency_s <= (request.max_latency_s or np.inf) * (1 + 1e-6)
    assert verdict.energy_j <= (request.max_energy_j or np.inf) * (1 + 1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_tiny_plan_is_the_best_of_all(tiny, objective):
    hold_against(*tiny, gap=1e-9 if objective != "weighted" else 1e-6, objective=objective)


def test_tiny_plan_is_the_best_of_all_within_limits(tiny):
    problem, points = tiny
    latency, energy = np.median(points[:, :2], axis=0)
    hold_against(problem, points, objective="energy", max_latency_s=float(latency))
    hold_against(problem, points, objective="latency", max_energy_j=float(energy))
    hold_against(problem, points, max_latency_s=float(latency), max_energy_j=float(energy))


@pytest.mark.parametrize("profile", ["si", "reference"])
@pytest.mark.parametrize("seed", range(10))
def test_plan_is_the_best_of_all_on_random_networks(seed, profile):
    scenario = random_scenario(seed, cells=1 + seed % 2, devices=(1, 3), modules=1 + seed // 2 % 2, profile=profile)
    problem = build_problem(scenario)
    points = whole_space(problem)
    for objective in OBJECTIVES:
        hold_against(problem, points, objective=objective)


def test_modules_that_nothing_tells_apart():
    scenario = random_scenario(5, cells=2, devices=(1, 2), modules=2, periods=(1, 2))
    first = scenario.modules[0]
    twins = (first, first.model_copy(update={"name": "twin"}))
    problem = build_problem(scenario.model_copy(update={"modules": twins}))
    points = whole_space(problem)
    for objective in OBJECTIVES:
        hold_against(problem, points, objective=objective)


@pytest.mark.parametrize("seed", range(6))
def test_limits_are_kept_at_least_cost_or_proven_impossible(seed):
    profile = "reference" if seed % 3 == 0 else "si"
    menu = ((1, 2), (1, 2, 4), (1,))[seed % 3]
    scenario = random_scenario(
        seed, cells=1 + seed % 2, devices=(1, 3), modules=1 + seed % 2, profile=profile, periods=menu
    )
    problem = build_problem(scenario)
    points = whole_space(problem)
    latency, energy = (float(points[:, k].min()) for k in (0, 1))
    for objective in OBJECTIVES:
        hold_against(problem, points, objective=objective, max_latency_s=latency * (1 + 1e-5))
        hold_against(problem, points, objective=objective, max_energy_j=energy * (1 + 1e-5) + 1e-15)
        both = {"max_latency_s": 1.5 * latency, "max_energy_j": 1.5 * energy + 1e-15}
        if ((points[:, 0] <= both["max_latency_s"]) & (points[:, 1] <= both["max_energy_j"])).any():
            hold_against(problem, points, objective=objective, **both)
        else:
            with pytest.raises(InfeasibleError):
                solve(problem, "optimal", default_request(scenario, objective=objective, **both))


@pytest.mark.parametrize(("limit", "column"), [("max_latency_s", 0), ("max_energy_j", 1)])
@pytest.mark.parametrize("seed", [4, 9, 11])
def test_the_stated_least_limit_can_be_kept_and_less_cannot(seed, limit, column):
    problem = build_problem(random_scenario(seed, cells=1 + seed % 2, devices=(1, 3), modules=2, periods=(1, 2)))
    least = float(whole_space(problem)[:, column].min())
    assert least > 0
    request = default_request(problem.scenario, **{limit: least * (1 - 1e-4)})
    with pytest.raises(InfeasibleError) as caught:
        solve(problem, "optimal", request)
    assert caught.value.exit_code == 3
    found = re.search(r"the least possible is (\S+) . -- allow at least (\S+) .$", str(caught.value))
    assert float(found[1]) == pytest.approx(least, rel=1e-5)
    assert solve(problem, "optimal", dataclasses.replace(request, **{limit: float(found[2])})).status == "optimal"


@pytest.mark.parametrize("seed", range(8))
def test_every_cell_lists_exactly_the_rounds_worth_having(seed):
    profile = "reference" if seed % 4 == 3 else "si"
    problem = build_problem(random_scenario(seed, cells=1, devices=(1, 3), modules=2, profile=profile))
    rounds, enumeration = FixedRounds(problem), Enumeration(problem)
    prices = np.random.default_rng(seed).exponential(1.0, (5, 3)) * (np.random.default_rng(1).random((5, 3)) < 0.8)
    for state in possible_states(problem):
        ways = enumeration.ways(0, state)
        for price in prices:
            assert rounds.support(0, state, *price) == pytest.approx(float((ways @ price).min()), rel=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_averaging_more_in_a_covering_round_costs_no_less(seed):
    """Every way of a covering round is matched by one of the covered round that is no worse in anything."""
    problem = build_problem(
        random_scenario(seed, devices=(1, 3), modules=2, profile="reference" if seed % 4 == 3 else "si")
    )
    enumeration, states = Enumeration(problem), possible_states(problem)
    for state in states:
        for larger in (s for s, yes in zip(states, covering(problem, states, state), strict=True) if yes):
            for cell in range(len(problem.cells)):
                less, more = enumeration.ways(cell, state), enumeration.ways(cell, larger)
                matched = (less[None, :, :] <= more[:, None, :] * (1 + 1e-12) + 1e-15).all(axis=2).any(axis=1)
                assert matched.all(), (state, larger, cell)


def test_sending_one_thing_more_to_the_cloud_can_be_cheaper():
    """Why a covering round must not change sides: the way down then runs beside the other cell's."""
    scenario = random_scenario(0, cells=2, devices=(1, 1), modules=3)
    edges = (
        scenario.edges[0].model_copy(update={"uplink_bandwidth_hz": 1e6, "downlink_bandwidth_hz": 1e6}),
        scenario.edges[1].model_copy(update={"uplink_bandwidth_hz": 9e6, "downlink_bandwidth_hz": 1e6}),
    )
    devices = tuple(
        device.model_copy(update={"samples": samples, "uplink_power_w": 1.0})
        for device, samples in zip(scenario.devices, ({"t0": 8}, {"t1": 8}), strict=True)
    )
    modules = tuple(
        module.model_copy(update={"tasks": tasks, "payload_bit": bits})
        for module, tasks, bits in zip(
            scenario.modules, (("t0",), ("t1",), ("t0",)), (4_000_000,) * 2 + (0,), strict=True
        )
    )
    tasks = tuple(scenario.tasks[0].model_copy(update={"name": name}) for name in ("t0", "t1"))
    changes = {"edges": edges, "devices": devices, "modules": modules, "tasks": tasks}
    problem = build_problem(scenario.model_copy(update=changes))
    enumeration, states = Enumeration(problem), possible_states(problem)
    state, larger = (2, 3, 0), (2, 3, 3)
    latency = [
        sum(max(float(enumeration.ways(i, s)[:, k].min()) for i in range(2)) for k in (0, 1)) for s in (state, larger)
    ]
    assert latency[1] < latency[0] * 0.9
    covers = dict(zip(states, covering(problem, states, state), strict=True))
    assert not covers[larger] and covers[state]
