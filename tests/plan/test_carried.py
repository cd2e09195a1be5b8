"""What is carried out of a plan in another network: cases worked out by hand, and random ones against reachability."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
from small_networks import circulation, round_plan, scenario, tree, whole_plan, with_rates

import hffm_opt
from hffm_opt.plan.carried import carried_out
from hffm_opt.plan.circulation import Tier, tiers, top_kind
from hffm_opt.plan.referee import evaluate_plan, kind_costs
from hffm_opt.problem import build_problem
from hffm_opt.scenario.conditions import Conditions, CpuSpeed, under
from hffm_opt.scenario.model import LinkGain
from hffm_opt.scenario.read import load_scenario
from hffm_opt.seeds import derive
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import Request

SAMPLES = [[(10, 0), (0, 20), (30, 0)], [(40, 0)]]
RATES = [[1, 1, 1], [1]]
NORMAL = Conditions()
CHAIN = {(0, 2, 1): 1, (0, 1, 2): 1, (0, 1, 0): 1, (0, 0, 1): 1}
UP, DOWN = ("d02>d01", "d01>d00", "d00>e0"), ("e0>d00", "d00>d01", "d01>d02")


def network(conditions=NORMAL, d2d=CHAIN, **options):
    """Return the network of two cells under conditions; its D2D links are those that are named."""
    return with_rates(build_problem(under(scenario(SAMPLES, **options), conditions)), RATES, RATES, d2d)


def chain_plan(problem, cpu_hz=1e9, **trees):
    """Return the plan in which module s meets at the cloud in every round, along a chain in the first cell."""
    first = {"uplink": tree(*UP), "downlink": tree(*DOWN)} | trees
    rounds = [
        [
            round_plan(problem.cells[0], **first).model_copy(
                update={"cpu_hz": dict.fromkeys(("d00", "d01", "d02"), cpu_hz)}
            )
        ],
        [round_plan(problem.cells[1], uplink=tree("d10>e1"), downlink=tree("e1>d10"))],
    ]
    return whole_plan(problem, circulation(s=(None, None, 1)), rounds)


def links(carried, cell=0, name="uplink"):
    found = getattr(carried.plan.cells[cell].rounds[0], name)
    return None if found is None else [f"{arc.source}>{arc.target}" for arc in found.arcs]


def without(*pairs):
    """Return conditions and D2D links without some links, as names of devices of the first cell."""
    gone = [(0, int(a[-1]), int(b[-1])) for a, b in pairs]
    gains = tuple(LinkGain(source=a, target=b, factor=0) for a, b in pairs)
    return Conditions(gains=gains), {link: rate for link, rate in CHAIN.items() if link not in gone}


def test_the_same_network_carries_the_plan_itself():
    problem = network()
    plan = chain_plan(problem)
    found = carried_out(problem, plan)
    assert found.problem is problem and found.plan is plan
    assert (found.sat_out, found.participation) == ((), 1.0)


def test_a_dead_link_cuts_off_all_that_hangs_on_it():
    plan = chain_plan(network())
    conditions, d2d = without(("d01", "d00"))
    found = carried_out(network(conditions, d2d), plan)
    assert found.sat_out == ("d01", "d02")
    assert found.participation == pytest.approx((10 + 40) / 100)
    assert links(found) == ["d00>e0"]
    # Training: 0.1 s and 10 J for d00, 0.4 s and 40 J for d10; then 4 s up and down, and 0.9 s of backhaul each way.
    cost = evaluate_plan(found.problem, found.plan)
    assert cost.latency_s == pytest.approx(0.4 + 4 + 0.9 + 0.9 + 4)
    assert cost.energy_j == pytest.approx(10 + 40 + 4 * 4 + 4 * 0.4 * 2)


def test_a_link_that_is_dead_one_way_only_cuts_off_too():
    """Whoever never hears the average back has no part in it, and does not train for nothing."""
    plan = chain_plan(network())
    found = carried_out(network(*without(("d01", "d02"))), plan)
    assert found.sat_out == ("d02",) and found.problem.cycles[2] == 0
    # 40 J of training less than of 30 samples; 4 Mbit over two links each way, each way.
    assert kind_costs(found.problem, found.plan).energy_j[0, 0] == pytest.approx(30 + 4 * 4 + 2 * 4 * 0.2)


def test_a_relay_that_is_gone_cuts_off_those_behind_it_and_is_not_told_as_sitting_out():
    plan = chain_plan(network())
    found = carried_out(network(Conditions(absent=("d01",))), plan)
    assert found.sat_out == ("d02",)
    # The share is of those who are there: d01's samples count no more.
    assert found.participation == pytest.approx((10 + 40) / (10 + 30 + 40))
    assert links(found) == ["d00>e0"]


def test_a_relay_that_owns_nothing_is_missed_when_it_goes():
    idle = [[(10, 0), (0, 0), (30, 0)], [(40, 0)]]

    def build(conditions=NORMAL):
        return with_rates(build_problem(under(scenario(idle), conditions)), RATES, RATES, CHAIN)

    plan = chain_plan(build())
    gains = (LinkGain(source="d00", target="e0", factor=1),)
    assert carried_out(build(Conditions(gains=gains)), plan).sat_out == ()
    found = carried_out(build(Conditions(absent=("d01",))), plan)
    assert found.sat_out == ("d02",) and found.participation == pytest.approx(50 / 80)


def test_a_head_that_is_gone_leaves_its_cell_without_the_rounds_at_the_head():
    problem = network()
    trees = {"head": "d01", "gather": tree("d00>d01", "d02>d01"), "scatter": tree("d01>d00", "d01>d02")}
    rounds = [
        [round_plan(problem.cells[0], **trees)],
        [round_plan(problem.cells[1], head="d10", gather=tree(), scatter=tree())],
    ]
    plan = whole_plan(problem, circulation(s=(1, None, None)), rounds)
    found = carried_out(network(Conditions(absent=("d01",))), plan)
    assert found.sat_out == ("d00", "d02")
    kept = found.plan.cells[0].rounds[0]
    assert (kept.head, kept.gather, kept.scatter) == (None, None, None)
    assert found.plan.cells[1].rounds[0].head == "d10"
    assert kind_costs(found.problem, found.plan).energy_j.tolist() == [[0.0, pytest.approx(40.0)]]


def test_whoever_joins_sits_out_until_a_plan_reaches_it():
    alone = network(Conditions(absent=("d02",)))
    plan = chain_plan(alone, uplink=tree("d01>d00", "d00>e0"), downlink=tree("e0>d00", "d00>d01"))
    found = carried_out(network(), plan)
    assert found.sat_out == ("d02",) and found.participation == pytest.approx(0.7)
    assert kind_costs(found.problem, found.plan).energy_j.sum() == pytest.approx(kind_costs(alone, plan).energy_j.sum())


@pytest.mark.parametrize(("allocation", "expected"), [("fixed", 0.5e9), ("optimised", 0.5e9)])
def test_nobody_computes_faster_than_it_can(allocation, expected):
    plan = chain_plan(network(allocation=allocation))
    slow = Conditions(speeds=(CpuSpeed(device="d01", factor=0.5),))
    speeds = carried_out(network(slow, allocation=allocation), plan).plan.cells[0].rounds[0].cpu_hz
    assert speeds == {"d00": 1e9, "d01": expected, "d02": 1e9}


@pytest.mark.parametrize(("allocation", "expected"), [("fixed", 1e9), ("optimised", 0.6e9)])
def test_a_speed_that_the_plan_did_not_choose_is_the_processors_own(allocation, expected):
    """Planned while d01 was slow; now it is as fast as ever."""
    plan = chain_plan(network(allocation=allocation), cpu_hz=0.6e9)
    back = Conditions(gains=(LinkGain(source="d00", target="e0", factor=1),))
    speeds = carried_out(network(back, allocation=allocation), plan).plan.cells[0].rounds[0].cpu_hz
    assert speeds["d01"] == expected


def test_a_cell_without_anybody_neither_computes_nor_sends_and_the_others_still_meet():
    plan = chain_plan(network())
    found = carried_out(network(Conditions(absent=("d10",))), plan)
    assert found.sat_out == () and found.participation == 1.0
    assert (links(found, 1), links(found, 1, "downlink")) == (None, None)
    costs = kind_costs(found.problem, found.plan)
    assert costs.energy_j[0, 1] == costs.bits[0, 1] == 0 and costs.meets == (True,)


def test_nobody_is_left():
    everyone = ("d00", "d01", "d02", "d10")
    problem = network(Conditions(absent=everyone))
    found = carried_out(problem, chain_plan(network()))
    assert (found.sat_out, found.participation) == ((), 0.0)
    assert evaluate_plan(found.problem, found.plan).energy_j == 0
    assert carried_out(problem, found.plan).participation == 0.0


def test_copies_are_forwarded_and_handed_in_as_published():
    """A link that fails cuts off whoever needs it in the collection alone."""
    problem = network(profile="reference")
    head = {"head": "d00", "gather": tree("d01>d00", "d02>d01", relay="forward"), "scatter": tree("d00>d01", "d01>d02")}
    one = {"head": "d10", "gather": tree(), "scatter": tree()}
    last = [
        round_plan(problem.cells[0], uplink=tree("d02>d01", "d01>d00", "d00>e0", relay="forward")),
        round_plan(problem.cells[1], uplink=tree("d10>e1", relay="forward")),
    ]
    rounds = [[round_plan(problem.cells[0], **head)], [round_plan(problem.cells[1], **one)]]
    every = dict.fromkeys(("s", "a", "b"), (1, None, None))
    plan = whole_plan(problem, circulation(**every), rounds, last)
    conditions, d2d = without(("d02", "d01"))
    found = carried_out(network(conditions, d2d, profile="reference"), plan)
    assert found.sat_out == ("d02",) and found.participation == pytest.approx(0.7)
    collection = found.plan.cells[0].collection
    assert [f"{arc.source}>{arc.target}" for arc in collection.uplink.arcs] == ["d01>d00", "d00>e0"]
    # Gathered and scattered: s and b of d01 (6 Mbit at 0.25 W); handed in: these, then their sum with s and a of d00
    # (7 Mbit at 0.5 W).
    costs = kind_costs(found.problem, found.plan)
    assert costs.energy_j[0].tolist() == [pytest.approx(2 * 6 * 0.25), 0.0]
    assert costs.energy_j[1, 0] == pytest.approx(6 * 0.25 + 7 * 0.5)


def drawn_conditions(problem, stream):
    """Return random conditions: devices gone, links failed or faded one or both ways, slow processors."""
    names = [device.name for device in problem.scenario.devices]
    absent = [name for name in names if stream.random() < 0.15]
    gains = {}
    for cell in problem.cells:
        for a in cell.names:
            for b in (*cell.names, cell.edge.name):
                if a != b and stream.random() < 0.3:
                    factor = 0.0 if b != cell.edge.name and stream.random() < 0.6 else float(stream.uniform(0.1, 2))
                    gains[a, b] = factor
                    if stream.random() < 0.5:
                        gains[b, a] = factor
    return Conditions(
        gains=tuple(LinkGain(source=a, target=b, factor=value) for (a, b), value in sorted(gains.items())),
        speeds=tuple(CpuSpeed(device=n, factor=float(stream.uniform(0.2, 2))) for n in names if stream.random() < 0.3),
        absent=tuple(absent),
    )


def reached(problem, plan):
    """Return who takes part, by reachability in the graph of the arcs that still carry something."""
    gone = {d.name for d in problem.scenario.devices if not d.d2d and not any(d.samples.values())}
    takers = set()
    for cell, cell_plan in zip(problem.cells, plan.cells, strict=True):
        rounds = [
            (r, tiers(plan.circulation, k)) for k, r in enumerate(cell_plan.rounds[: top_kind(plan.circulation) + 1])
        ]
        if cell_plan.collection is not None:
            rounds.append((cell_plan.collection, np.full(len(problem.modules), int(Tier.CLOUD))))
        for row, name in zip(cell.members, cell.names, strict=True):
            if problem.owners[row].any() and all(
                _served(problem, cell, r, level, row, name, gone) for r, level in rounds
            ):
                takers.add(name)
    return takers


def _served(problem, cell, plan, level, row, name, gone):
    owned = level[problem.owners[row]]
    for due, names in ((owned == Tier.D2D, ("gather", "scatter")), (owned >= Tier.EDGE, ("uplink", "downlink"))):
        if not due.any():
            continue
        for which in names:
            found = getattr(plan, which)
            if found is None:
                if which == "downlink" and problem.published:
                    continue
                return False
            graph = nx.DiGraph()
            for arc in found.arcs:
                ends = (arc.source, arc.target) if which in ("gather", "uplink") else (arc.target, arc.source)
                if not gone & {arc.source, arc.target} and _gain(cell, arc) > 0:
                    graph.add_edge(*ends)
            root = plan.head if which in ("gather", "scatter") else "cloud" if "cloud" in graph else cell.edge.name
            if name != root and not (root in graph and name in nx.ancestors(graph, root)):
                return False
            if name == root and name in gone:
                return False
    return True


def _gain(cell, arc):
    if "cloud" in (arc.source, arc.target):
        return 1.0
    index = {name: i for i, name in enumerate(cell.names)}
    if arc.target == cell.edge.name:
        return cell.uplink_gain[index[arc.source]]
    if arc.source == cell.edge.name:
        return cell.downlink_gain[index[arc.target]]
    return cell.d2d_gain[index[arc.source], index[arc.target]]


METHODS = ("h-fedfm-2+d2d", "edge-only+d2d", "h-fedfm-2+best-head+mst")


def networks():
    for seed in range(1, 6):
        allocation = "fixed" if seed % 2 else "optimised"
        yield hffm_opt.random_scenario(seed, cells=2, devices=(2, 5), modules=3, allocation=allocation)
    yield load_scenario("paper")


@pytest.mark.parametrize("given", list(networks()), ids=lambda s: s.name)
def test_whatever_happens_the_rest_of_a_plan_can_be_carried_out(given):
    problem = build_problem(given)
    samples = {device.name: sum(device.samples.values()) for device in given.devices}
    serving = {name: cell.edge.name for cell in problem.cells for name in cell.names}
    for method in METHODS:
        plan = solve(problem, method, Request(seed=0)).plan
        for draw in range(12 if given.name != "paper" else 4):
            conditions = drawn_conditions(problem, derive(7, given.name, method, draw))
            now = build_problem(under(given, conditions), serving)
            found = carried_out(now, plan)
            costs = kind_costs(found.problem, found.plan)
            assert np.isfinite(costs.energy_j).all() and np.isfinite(costs.before_s).all()
            there = {name for name, owned in zip(samples, now.owners.any(axis=1), strict=True) if owned}
            takers = reached(now, plan)
            assert set(found.sat_out) == there - takers
            whole = sum(samples[name] for name in there)
            part = sum(samples[name] for name in takers) / whole if whole else 0.0
            assert math.isclose(found.participation, part, abs_tol=1e-12)
