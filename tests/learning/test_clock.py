"""The clock follows events; the referee adds up a closed form. Both must say the same."""

from __future__ import annotations

import numpy as np
import pytest
from round_cases import MIXED, PUBLISHED_METHODS, chain_plan, plan_of, run, small_problem, small_scenario

from hffm_opt.errors import InputError
from hffm_opt.learning.clock import charge, hops_of, inward, meet, outward
from hffm_opt.plan.circulation import ModuleCirculation, Tier, uniform
from hffm_opt.plan.costs import LinkCost
from hffm_opt.plan.model import Plan
from hffm_opt.plan.schedule import run_cost
from hffm_opt.plan.trees import IndexedTree
from hffm_opt.problem import Problem, build_problem

EXACT = 1e-9
# Periods that part the modules over all tiers, in every order of depth.
CIRCULATIONS = {
    "mixed": MIXED,
    "heads-deeper": (
        ModuleCirculation(module="adapters", d2d=1, edge=8, cloud=8),
        ModuleCirculation(module="head-digits", edge=1, cloud=2),
        ModuleCirculation(module="head-shapes", d2d=2),
    ),
    "edge-beside-cloud": (
        ModuleCirculation(module="adapters", edge=1),
        ModuleCirculation(module="head-digits", d2d=1, cloud=2),
        ModuleCirculation(module="head-shapes", edge=2, cloud=4),
    ),
    "nothing": tuple(ModuleCirculation(module=name) for name in ("adapters", "head-digits", "head-shapes")),
}


def assert_equals_referee(problem: Problem, plan: Plan, rounds: int) -> None:
    results = run(problem, plan, rounds, train=lambda _problem, states, _number: states).results
    energy = bits = 0.0
    for number, result in enumerate(results, start=1):
        energy, bits = energy + result.record.energy_j, bits + result.record.bits
        predicted = run_cost(problem, plan, number)
        assert result.record.end_s == pytest.approx(predicted.latency_s, rel=EXACT)
        assert energy == pytest.approx(predicted.energy_j, rel=EXACT)
        assert bits == pytest.approx(predicted.bits, rel=EXACT)


@pytest.mark.parametrize("method", PUBLISHED_METHODS)
@pytest.mark.parametrize("scenario", ["paper", "paper-si", "tiny"])
def test_ledger_equals_referee_for_published_methods(scenario: str, method: str) -> None:
    problem = small_problem(scenario)
    assert_equals_referee(problem, plan_of(problem, method), 9)


@pytest.mark.parametrize("relay", ["sum", "forward"])
@pytest.mark.parametrize("circulation", CIRCULATIONS)
@pytest.mark.parametrize("scenario", ["tiny", "paper-si", "paper"])
def test_ledger_equals_referee_for_circulations_per_module(scenario: str, circulation: str, relay: str) -> None:
    problem = small_problem(scenario)
    assert_equals_referee(problem, chain_plan(problem, CIRCULATIONS[circulation], relay), 9)


def test_published_run_equals_the_published_row() -> None:
    """Over whole cycles the ledger's mean per round is the exact value of the published table."""
    problem = small_problem("paper")
    results = run(problem, plan_of(problem, "h-fedfm-8"), 8).results
    assert results[-1].record.end_s / 8 == pytest.approx(5.0497, abs=5e-5)
    assert sum(r.record.energy_j for r in results) / 8 == pytest.approx(71.3536, abs=5e-5)


def test_a_cell_without_cloud_modules_waits_at_the_meeting() -> None:
    """Nobody in the second cell trains digits, so it sends nothing to the cloud, yet meets there."""
    scenario = small_scenario("tiny")
    devices = [
        device.model_copy(update={"samples": {"digits": 0, "shapes": 30}}) if device.edge == "edge-1" else device
        for device in scenario.devices
    ]
    problem = build_problem(scenario.model_copy(update={"devices": tuple(devices)}))
    circulation = (
        ModuleCirculation(module="adapters", d2d=1),
        ModuleCirculation(module="head-digits", cloud=2),
        ModuleCirculation(module="head-shapes", edge=1),
    )
    plan = chain_plan(problem, circulation)
    assert_equals_referee(problem, plan, 5)
    first, second = run(problem, plan, 2).results
    assert len(set(first.clock_s)) == 2
    assert len(set(second.clock_s)) == 1
    crossing = [entry for entry in second.entries if entry.event.startswith("backhaul")]
    assert {entry.cell for entry in crossing} == {"edge-0"}


def path_tree(size: int, root: int) -> IndexedTree:
    """0 <- 1 <- 2 ... with device 0 under the root; link seconds do not matter here."""
    parent = {0: root} | {v: v - 1 for v in range(1, size)}
    members = np.tri(size + 2, size, dtype=bool).T[: size + 2]
    return IndexedTree(root, tuple(reversed(range(size))), parent, {}, members, "sum", "own")


def test_inward_waits_for_the_latest_input() -> None:
    tree, starts = path_tree(3, root=3), {}

    def transmit(node: int, start_s: float) -> float:
        starts[node] = start_s
        return 1.0

    assert inward(tree, np.array([5.0, 0.5, 2.0]), transmit) == 6.0
    assert starts == {2: 2.0, 1: 3.0, 0: 5.0}


def test_inward_lasts_until_devices_outside_the_tree_are_ready() -> None:
    tree = IndexedTree(2, (0,), {0: 2}, {}, np.zeros((4, 2), dtype=bool), "sum", "own")
    assert inward(tree, np.array([1.0, 9.0]), lambda _node, _start: 1.0) == 9.0


def test_inward_at_a_lone_head_ends_when_it_is_ready() -> None:
    tree = IndexedTree(0, (), {}, {}, np.zeros((3, 1), dtype=bool), "sum", "own")
    assert inward(tree, np.array([4.0]), lambda _node, _start: 1.0) == 4.0


def test_outward_passes_on_at_once() -> None:
    starts = {}

    def transmit(node: int, start_s: float) -> float:
        starts[node] = start_s
        return 2.0

    assert outward(path_tree(3, root=3), 10.0, transmit) == 16.0
    assert starts == {0: 10.0, 1: 12.0, 2: 14.0}


def test_meeting_is_when_the_slowest_arrives_and_ends_when_the_slowest_is_done() -> None:
    clocks = meet(np.array([3.0, 7.0, 1.0]), lambda meeting_s, index: meeting_s + (0.0, 0.5, 2.0)[index])
    assert clocks.tolist() == [9.0, 9.0, 9.0]


def test_forwarded_copies_pass_each_other_only_in_the_published_arithmetic() -> None:
    link, copies = LinkCost("d2d", 0.0, 1e-6, 1e-6), {"adapters": 3, "head-digits": 1}
    for name, delayed in (("paper", {"adapters": 1, "head-digits": 1}), ("tiny", copies)):
        problem = small_problem(name)
        size = dict(zip(problem.modules, problem.payload_bit, strict=True))
        cost = charge(problem, link, copies)
        assert cost.bits == 3 * size["adapters"] + size["head-digits"]
        assert cost.joules == pytest.approx(1e-6 * cost.bits)
        assert cost.seconds == pytest.approx(1e-6 * sum(size[m] * n for m, n in delayed.items()))


def test_a_plan_over_a_link_that_does_not_exist_is_refused() -> None:
    problem = small_problem("tiny")
    plan = chain_plan(problem, uniform(problem, 1, None, None))
    cell = problem.cells[0]
    cut = type(cell)(**{**vars(cell), "d2d_gain": np.zeros_like(cell.d2d_gain)})
    broken = type(problem)(
        **{name: getattr(problem, name) for name in problem.__dataclass_fields__} | {"cells": (cut, problem.cells[1])}
    )
    with pytest.raises(InputError, match="there is no link"):
        run(broken, plan, 1)


def test_hops_name_their_ends_in_the_direction_of_travel() -> None:
    problem = small_problem("tiny")
    engine = run(problem, chain_plan(problem, uniform(problem, None, 1, None)), 1).engine
    part = engine._parts[0][0]
    assert part.uplink is not None and part.downlink is not None
    down = hops_of(problem, part.cell, part.downlink.tree, True)
    assert {(hop.source, hop.target) for hop in down.values()} == {
        (hop.target, hop.source) for hop in part.uplink.hops.values()
    }
    assert engine.tier(1) == Tier.EDGE
