"""Whom an edge serves as a decision: against every association, its bound, and its way through referee and training."""

from itertools import product

import pytest
from accuracy_cases import CURVES

from hffm_opt import random_scenario
from hffm_opt.errors import InfeasibleError, InputError
from hffm_opt.plan.circulation import ModuleCirculation
from hffm_opt.plan.referee import evaluate_plan
from hffm_opt.plan.serving import problem_for
from hffm_opt.problem import build_problem
from hffm_opt.scenario.builtin import BUILTINS
from hffm_opt.scenario.model import Device, Edge, Module, Physics, Planning, Scenario, Task
from hffm_opt.solvers.joint import association
from hffm_opt.solvers.joint.association_bound import AssociationFloor
from hffm_opt.solvers.registry import circulation_named, solve
from hffm_opt.solvers.request import default_request


def free(scenario):
    return scenario.model_copy(update={"planning": scenario.planning.model_copy(update={"association": "free"})})


def network(seed, allocation="fixed"):
    return random_scenario(seed, cells=2, devices=(1, 2), modules=1 + seed % 2, allocation=allocation, periods=(1, 2))


def every_given(scenario, request):
    names = [e.name for e in scenario.edges]
    for pick in product(names, repeat=len(scenario.devices)):
        serving = dict(zip((d.name for d in scenario.devices), pick, strict=True))
        try:
            yield solve(build_problem(scenario, serving), "optimal", request)
        except (InfeasibleError, InputError):
            continue


@pytest.mark.parametrize("objective", ["weighted", "latency", "energy", "time-to-accuracy"])
@pytest.mark.parametrize("seed", [1, 2, 4, 6])
def test_the_best_association_is_found_and_bounded(seed, objective, monkeypatch):
    scenario = network(seed)
    request = default_request(scenario, objective=objective, gap=1e-6, target=0.3, curve=CURVES["slowed"][0])
    truth = min(o.objective for o in every_given(scenario, request))
    problem = build_problem(free(scenario))
    listed = solve(problem, "optimal", request)
    assert listed.objective == pytest.approx(truth, rel=3e-6, abs=1e-12)
    assert listed.status == "optimal"
    assert "association" in listed.optimised
    assert "association" not in listed.fixed
    monkeypatch.setattr(association, "MOST_LISTED", 0)
    searched = solve(problem, "optimal", request)
    assert searched.bound <= truth * (1 + 1e-9) + 1e-12
    assert truth * (1 - 3e-6) - 1e-12 <= searched.objective


@pytest.mark.parametrize("seed", [1, 4])
def test_free_allocation_and_association_together(seed, monkeypatch):
    scenario = network(seed, "optimised")
    request = default_request(scenario, gap=1e-3)
    outcomes = list(every_given(scenario, request))
    problem = build_problem(free(scenario))
    monkeypatch.setattr(association, "MOST_LISTED", 0)
    searched = solve(problem, "optimal", request)
    assert searched.bound <= min(o.objective for o in outcomes) * (1 + 1e-9)
    assert searched.objective >= min(o.bound for o in outcomes) * (1 - 1e-9)
    assert evaluate_plan(problem, searched.plan).feasible


def test_an_association_is_the_plans_own_only_where_the_scenario_says_so():
    scenario = network(6)
    request = default_request(scenario)
    outcome = solve(build_problem(free(scenario)), "optimal", request)
    judged = build_problem(free(scenario))
    served = problem_for(judged, outcome.plan)
    assert [c.names for c in served.cells] != [c.names for c in judged.cells]
    assert evaluate_plan(judged, outcome.plan).feasible
    with pytest.raises(InputError, match="cells"):
        evaluate_plan(build_problem(scenario), outcome.plan)
    broken = outcome.plan.model_copy(
        update={"cells": (outcome.plan.cells[0].model_copy(update={"devices": ()}), *outcome.plan.cells[1:])}
    )
    with pytest.raises(InputError, match="served 0 times"):
        evaluate_plan(judged, broken)


def test_a_round_that_may_pass_the_edge_is_bounded_on_its_own():
    """An answer for a round bound to the edge must not serve one that may take the direct links."""
    problem = build_problem(free(BUILTINS["tiny"]()))
    bound_to_edge, past_it = (2, 3, 3), (3, 3, 3)
    fresh = AssociationFloor(problem).support(past_it, 1.0, 1.0, 1.0)
    floor = AssociationFloor(problem)
    assert floor.support(bound_to_edge, 1.0, 1.0, 1.0) > 0
    assert floor.support(past_it, 1.0, 1.0, 1.0) == fresh


def two_slow_devices(backhaul_delay_s=0.0):
    """Each nearest to an edge of its own: one slow to train, the other slow to send; five that do not matter."""

    def edge(i):
        return Edge(
            name=f"e{i}",
            x_m=3000.0 * i,
            y_m=0.0,
            uplink_bandwidth_hz=1e7,
            downlink_bandwidth_hz=1e5,
            d2d_bandwidth_hz=1e4,
            downlink_power_w=1.0,
            backhaul_rate_bit_per_s=1e9,
            backhaul_delay_s=backhaul_delay_s,
        )

    def device(name, x_m, **samples):
        return Device(
            name=name,
            x_m=x_m,
            y_m=0.0,
            uplink_power_w=1.0,
            d2d_power_w=0.1,
            d2d=False,
            cpu_min_hz=1e9,
            cpu_max_hz=1e9,
            samples=samples,
        )

    flop = {"forward_flop": 1e8, "backward_flop": 1e8}
    return Scenario(
        name="two-slow-devices",
        physics=Physics(
            profile="si",
            uplink_sharing="dedicated",
            downlink_sharing="dedicated",
            d2d_sharing="dedicated",
            allocation="fixed",
        ),
        edges=(edge(0), edge(1)),
        devices=(
            device("trains", 10.0, t=40),
            device("sends", 2200.0, t=1),
            *(device(f"other-{i}", 10.0, t=1) for i in range(5)),
        ),
        modules=(Module(name="m", kind="adapter", tasks=("t",), payload_bit=1_000_000, **flop),),
        tasks=(Task(name="t", answers=2),),
        planning=Planning(periods=(1, 2, 4, 8), association="free", energy_weight=0.0),
    )


@pytest.mark.parametrize("circulation", ["edge-only", "h-fedfm-2", "h-fedfm-8"])
def test_one_cell_slow_in_training_and_another_in_sending_do_not_add_up(circulation):
    problem = build_problem(two_slow_devices())
    held = circulation_named(problem, circulation)
    request = default_request(problem.scenario, energy_weight=1e-3, circulation=held)
    outcome = solve(problem, "optimal", request)
    assert outcome.bound <= outcome.objective * (1 + 1e-9)
    assert outcome.bound >= 0.9 * outcome.objective


def test_only_the_owners_of_what_goes_to_the_cloud_wait_for_the_backhaul():
    """A device that trains for long, in a cell without owners of the module at the cloud, meets no backhaul."""
    scenario = two_slow_devices(backhaul_delay_s=1.0)
    modules = (
        scenario.modules[0],
        scenario.modules[0].model_copy(update={"name": "cloudy", "tasks": ("u",), "forward_flop": 0.0}),
    )
    sends = scenario.devices[1].model_copy(update={"samples": {"u": 1}})
    problem = build_problem(
        scenario.model_copy(
            update={
                "devices": (scenario.devices[0], sends, *scenario.devices[2:]),
                "modules": modules,
                "tasks": (*scenario.tasks, Task(name="u", answers=2)),
            }
        )
    )
    held = (ModuleCirculation(module="m"), ModuleCirculation(module="cloudy", cloud=1))
    outcome = solve(problem, "optimal", default_request(problem.scenario, energy_weight=1e-3, circulation=held))
    assert outcome.bound <= outcome.objective * (1 + 1e-9)


def test_the_published_arithmetic_keeps_its_association():
    scenario = BUILTINS["paper"]()
    with pytest.raises(InputError, match="association"):
        solve(build_problem(free(scenario)), "optimal", default_request(scenario))


def test_fingerprints_tell_free_association_apart():
    scenario = BUILTINS["tiny"]()
    assert free(scenario).fingerprint() == scenario.fingerprint()
    assert free(scenario).planning_fingerprint() != scenario.planning_fingerprint()
