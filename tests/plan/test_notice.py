"""What it costs to tell devices of a new plan, and runs whose plans and networks take over from one another."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
from small_networks import circulation, round_plan, scenario, small_problem, tree, whole_plan, with_rates

from hffm_opt.plan.notice import notice_bits, notice_cost, notices
from hffm_opt.plan.referee import kind_costs
from hffm_opt.plan.schedule import Stretch, run_cost, schedule_cost, stretches_cost
from hffm_opt.problem import build_problem
from hffm_opt.scenario.conditions import Conditions, CpuSpeed, under
from hffm_opt.serial import dump_json

CELLS = [[(10, 0), (0, 20)], [(40, 0)]]
UP, DOWN = [[2, 4], [1]], [[5, 2], [4]]
NORMAL = Conditions()
BITS = (3_000_000, 8_000_000)


def network(cells=CELLS, conditions=NORMAL, **options):
    return with_rates(build_problem(under(scenario(cells, **options), conditions)), UP, DOWN)


def plan_for(problem, period=2):
    """Return the plan in which s meets at the cloud every ``period`` rounds, everybody sending for itself."""
    rounds = []
    for cell in problem.cells:
        up = tree(*(f"{name}>{cell.edge.name}" for name in cell.names))
        down = tree(*(f"{cell.edge.name}>{name}" for name in cell.names))
        idle = [round_plan(cell)] * (period.bit_length() - 1)
        rounds.append([*idle, round_plan(cell, uplink=up, downlink=down)])
    return whole_plan(problem, circulation(s=(None, None, period)), rounds)


def test_notice_by_hand():
    """Backhaul: 0.5 s and 0.1 s a Mbit at 2 W; then the slowest listener: 2 Mbit/s in one cell, 4 in the other; 1 W."""
    found = notices(network(), BITS)
    assert [notice.listener for notice in found] == ["d01", "d10"]
    assert [notice.seconds for notice in found] == pytest.approx([0.5 + 0.3 + 1.5, 0.5 + 0.8 + 2.0])
    assert [notice.joules for notice in found] == pytest.approx([2 * 0.3 + 1.5, 2 * 0.8 + 2.0])
    seconds, joules = notice_cost(network(), BITS)
    assert seconds == pytest.approx([2.3, 3.3]) and joules == pytest.approx(5.7)


def test_who_owns_nothing_need_not_listen_and_a_cell_of_such_hears_nothing():
    found = notices(network([[(10, 0), (0, 0)], [(0, 0)]]), BITS)
    assert [notice.listener for notice in found] == ["d00", None]
    assert found[0].seconds == pytest.approx(0.5 + 0.3 + 3 / 5)
    assert (found[1].downlink, found[1].seconds) == (None, pytest.approx(1.3))


def test_nothing_goes_down_at_a_cost_as_published():
    found = notices(network(profile="reference"), BITS)
    assert [notice.downlink for notice in found] == [None, None]
    # The published arithmetic charges the transmit power during the delay, too.
    assert found[0].joules == pytest.approx(2 * (0.3 + 0.5))


def test_each_cell_is_told_its_own_part_of_a_plan():
    plan = plan_for(network())
    told = "".join(dump_json(item) for item in plan.circulation)
    by_hand = [8 * len(zlib.compress((dump_json(cell) + told).encode(), 9)) for cell in plan.cells]
    assert list(notice_bits(plan)) == by_hand
    assert by_hand[0] > by_hand[1] > 0
    assert json.loads(dump_json(plan.cells[0]))["edge"] == "e0"


def test_a_run_from_its_first_round_is_that_of_one_plan():
    problem = network()
    plan = plan_for(problem)
    whole = run_cost(problem, plan, 6)
    assert whole == schedule_cost(problem, [(1, plan)], 6) == stretches_cost([Stretch(1, problem, plan)], 6)


@pytest.mark.parametrize(("start", "rounds"), [(1, 1), (3, 6), (2, 5), (5, 8)])
def test_later_rounds_cost_what_an_independent_walk_finds(start, rounds):
    """Rounds keep their numbers: in the even ones all meet, in the odd ones everybody trains."""
    problem = network()
    plan = plan_for(problem)
    costs, expected, busy, joules, bits = kind_costs(problem, plan), 0.0, np.zeros(2), 0.0, 0.0
    for number in range(start, rounds + 1):
        kind = 1 if number % 2 == 0 else 0
        busy = busy + costs.before_s[kind]
        joules, bits = joules + costs.energy_j[kind].sum(), bits + costs.bits[kind].sum()
        if kind:
            expected, busy = expected + busy.max() + costs.after_s[kind].max(), np.zeros(2)
    found = stretches_cost([Stretch(start, problem, plan)], rounds, start=start)
    assert found.rounds == rounds - start + 1
    assert (found.latency_s, found.energy_j, found.bits) == pytest.approx((expected + busy.max(), joules, bits))


def test_rounds_after_a_meeting_are_the_difference_of_two_runs():
    problem = network()
    plan = plan_for(problem)
    whole, before = run_cost(problem, plan, 7), run_cost(problem, plan, 4)
    found = stretches_cost([Stretch(5, problem, plan)], 7, start=5)
    for name in ("latency_s", "energy_j", "bits"):
        assert getattr(found, name) == pytest.approx(getattr(whole, name) - getattr(before, name))


def test_another_plan_in_another_network_takes_over_and_everybody_is_told():
    first, slow = network(), network(conditions=Conditions(speeds=(CpuSpeed(device="d10", factor=0.5),)))
    one = plan_for(first)
    two = plan_for(slow, 1)
    two = two.model_copy(
        update={
            "cells": tuple(
                cell.model_copy(
                    update={
                        "rounds": tuple(
                            r.model_copy(update={"cpu_hz": dict.fromkeys(r.cpu_hz, 5e8)}) for r in cell.rounds
                        )
                    }
                )
                for cell in two.cells
            )
        }
    )
    found = stretches_cost([Stretch(1, first, one), Stretch(3, slow, two)], 3, told={2: BITS})
    before, after = run_cost(first, one, 2), stretches_cost([Stretch(3, slow, two)], 3, start=3)
    seconds, joules = notice_cost(first, BITS)
    assert found.energy_j == pytest.approx(before.energy_j + after.energy_j + joules)
    assert found.bits == pytest.approx(before.bits + after.bits + 2 * sum(BITS))
    # Cells go on as soon as they have it: the meeting of round 3 waits for the later of both.
    costs = kind_costs(slow, two)
    assert found.latency_s == pytest.approx(
        before.latency_s + (seconds + costs.before_s[0]).max() + costs.after_s[0].max()
    )


def test_devices_that_sit_out_are_told_too():
    """Of the new plan they hear first of all: it is to reach them again."""
    whole, reached = network(), network([[(10, 0), (0, 0)], [(40, 0)]])
    plan = plan_for(reached)
    with_all = stretches_cost([Stretch(1, reached, plan, whole)], 2, told={2: BITS})
    without = stretches_cost([Stretch(1, reached, plan)], 2, told={2: BITS})
    # 3 Mbit at 2 Mbit/s instead of 5, at 1 W.
    assert with_all.energy_j - without.energy_j == pytest.approx(3 / 2 - 3 / 5)


def test_what_is_told_after_the_last_round_is_not_told():
    problem = small_problem(CELLS, UP, DOWN)
    plan = plan_for(problem)
    assert stretches_cost([Stretch(1, problem, plan)], 2, told={3: BITS}) == run_cost(problem, plan, 2)
