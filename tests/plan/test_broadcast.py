"""Broadcasts cost what their links say, by hand."""

import numpy as np
import pytest
from small_networks import circulation, round_plan, small_problem, tree, whole_plan

from hffm_opt.plan.broadcast import broadcast_cost
from hffm_opt.plan.schedule import run_cost, schedule_cost
from hffm_opt.problem import build_problem
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import Request

BITS = 2_000_000
STAR = build_problem(load_scenario("tiny"))


def test_straight_from_the_cloud():
    """In tiny each of six devices has 1 Mbit/s after 0.1 s, at 0.8 W."""
    plan = solve(STAR, "star", Request()).plan
    cost = broadcast_cost(STAR, plan, 1, BITS)
    assert cost.seconds.tolist() == pytest.approx([2.1, 2.1])
    assert cost.joules == pytest.approx(6 * 2 * 0.8)
    assert cost.bits == 6 * BITS


def test_through_the_edges():
    """Backhaul of tiny: 2 Mbit/s after 0.1 s, at 0.8 W; then each device over its own downlink at 2 W."""
    plan = solve(STAR, "h-fedfm-2", Request()).plan
    cost = broadcast_cost(STAR, plan, 2, BITS)
    rates = [5e6 * np.log2(1 + 2.0 * cell.downlink_gain / (5e6 * STAR.noise_w_per_hz)) for cell in STAR.cells]
    assert cost.seconds.tolist() == pytest.approx([1.1 + BITS / rate.min() for rate in rates])
    assert cost.joules == pytest.approx(2 * 0.8 + sum((2.0 * BITS / rate).sum() for rate in rates))
    assert cost.bits == 8 * BITS


def test_as_published_nothing_is_charged_downwards():
    problem = build_problem(load_scenario("paper"))
    cost = broadcast_cost(problem, solve(problem, "h-fedfm-2", Request()).plan, 2, BITS)
    assert (cost.seconds.max(), cost.joules, cost.bits) == (0.0, 0.0, 0.0)


def test_relays_pass_one_copy_on():
    """Edge to d00 at 4 Mbit/s, d00 to d01 at 8: 2 Mbit take 0.5 s and 0.25 s, one after the other."""
    problem = small_problem(
        [[(100, 0), (0, 300)]], uplink=[[1, 2]], downlink=[[4, 8]], d2d={(0, 0, 1): 8, (0, 1, 0): 8}
    )
    rounds = [[round_plan(problem.cells[0], uplink=tree("d01>d00", "d00>e0"), downlink=tree("e0>d00", "d00>d01"))]]
    plan = whole_plan(problem, circulation(s=(None, None, 1), a=(None, None, 1), b=(None, None, 1)), rounds)
    cost = broadcast_cost(problem, plan, 1, BITS)
    edge = problem.cells[0].edge
    backhaul = edge.backhaul_delay_s + BITS / edge.backhaul_rate_bit_per_s
    assert cost.seconds.tolist() == pytest.approx([backhaul + 0.5 + 0.25])
    assert cost.bits == 3 * BITS


def test_cells_go_on_by_themselves_after_it():
    """A broadcast after round 2 of h-fedfm-2: the next meeting waits for the cell that is slower in all."""
    plan = solve(STAR, "h-fedfm-2", Request()).plan
    plain, sent = run_cost(STAR, plan, 4), schedule_cost(STAR, ((1, plan),), 4, [(2, BITS)])
    extra = broadcast_cost(STAR, plan, 2, BITS)
    assert sent.energy_j == pytest.approx(plain.energy_j + extra.joules)
    assert sent.bits == pytest.approx(plain.bits + extra.bits)
    longer = sent.latency_s - plain.latency_s
    assert extra.seconds.min() - 1e-9 <= longer <= extra.seconds.max() + 1e-9
    later = schedule_cost(STAR, ((1, plan),), 1, [(2, BITS)])
    assert later == run_cost(STAR, plan, 1)
