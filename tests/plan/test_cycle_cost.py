"""Rounds and cycles worked out by hand (see small_networks for the units)."""

import numpy as np
import pytest
from small_networks import circulation, round_plan, small_problem, tree, whole_plan

from hffm_opt.errors import InputError
from hffm_opt.plan import evaluate_plan
from hffm_opt.plan.circulation import tiers
from hffm_opt.plan.referee import cycle_kinds, kind_costs
from hffm_opt.plan.rounds import round_cost
from hffm_opt.plan.schedule import run_cost, schedule_cost

CHAIN = [[(100, 0), (0, 300), (100, 100)]]
D2D = {(0, 0, 2): 4, (0, 1, 2): 2, (0, 2, 0): 8, (0, 2, 1): 4}


@pytest.fixture
def chain():
    return small_problem(CHAIN, uplink=[[1, 2, 4]], downlink=[[2, 4, 8]], d2d=D2D)


def cost_of(problem, circ, kind=0, **trees):
    cell = problem.cells[0]
    return round_cost(problem, cell, round_plan(cell, **trees), tiers(circ, kind), "round")


def energy(cost):
    return sum(cost.tally.energies())


UP, DOWN = tree("d00>e0", "d01>e0", "d02>e0"), tree("e0>d00", "e0>d01", "e0>d02")
GATHER, SCATTER = tree("d00>d02", "d01>d02"), tree("d02>d00", "d02>d01")


def test_a_round_without_events_lasts_as_long_as_training(chain):
    cost = cost_of(chain, circulation())
    assert (cost.before_s, cost.after_s) == (3.0, 0.0)
    assert energy(cost) == pytest.approx(600.0)
    assert cost.tally.bits_by_band == {"compute": 0.0}


def test_head_then_edge(chain):
    # Gather a and b at device 2: 3 + 1 = 4; back 0.5; s up 4 and down 2.
    cost = cost_of(
        chain,
        circulation(s=(None, 1), a=(1,), b=(1,)),
        head="d02",
        gather=GATHER,
        scatter=SCATTER,
        uplink=UP,
        downlink=DOWN,
    )
    assert cost.before_s == pytest.approx(4 + 0.5 + 4 + 2)
    assert cost.after_s == 0.0
    assert energy(cost) == pytest.approx(600 + (0.25 + 1) + (0.125 + 0.5) + (4 + 2 + 1) + (2 + 1 + 0.5))
    assert cost.tally.bits_by_band == {"compute": 0.0, "d2d": 6e6, "uplink": 12e6, "downlink": 12e6}


def test_cloud_event_through_the_edge(chain):
    # Up: device 0 ends at 1 + 5, device 1 at 3 + 6 / 2, device 2 at 2 + 7 / 4; backhaul 0.5 + 0.7 each way; down 2.5.
    cost = cost_of(
        chain, circulation(s=(None, None, 1), a=(None, None, 1), b=(None, None, 1)), uplink=UP, downlink=DOWN
    )
    assert cost.before_s == pytest.approx(6 + 1.2)
    assert cost.after_s == pytest.approx(1.2 + 2.5)
    assert cost.tally.energy_by_band["backhaul"] == pytest.approx(2 * 2.0 * 0.7)
    assert cost.tally.bits_by_band["backhaul"] == 14e6


def test_backhaul_carries_only_what_goes_to_the_cloud(chain):
    cost = cost_of(chain, circulation(s=(None, 1, 1), a=(None, 1), b=(None, 1)), uplink=UP, downlink=DOWN)
    assert cost.tally.bits_by_band["backhaul"] == 8e6
    assert cost.before_s == pytest.approx(6 + 0.5 + 0.4)


def test_cloud_event_past_the_edge(chain):
    cost = cost_of(
        chain,
        circulation(s=(None, None, 1)),
        uplink=tree("d00>cloud", "d01>cloud", "d02>cloud"),
        downlink=tree("cloud>d00", "cloud>d01", "cloud>d02"),
    )
    assert cost.before_s == pytest.approx(3 + 1 + 4)
    assert cost.after_s == pytest.approx(1 + 4)
    assert "backhaul" not in cost.tally.energy_by_band


def test_slower_training_costs_less_energy_and_more_time(chain):
    cell = chain.cells[0]
    slow = round_plan(cell).model_copy(update={"cpu_hz": dict.fromkeys(cell.names, 0.5e9)})
    cost = round_cost(chain, cell, slow, tiers(circulation(), 0), "round")
    assert cost.before_s == pytest.approx(6.0)
    assert energy(cost) == pytest.approx(150.0)


def test_energies_of_modules_add_up_to_the_radio_energy(chain):
    cost = cost_of(chain, circulation(s=(None, 1, 1), a=(None, 1), b=(None, 1)), uplink=UP, downlink=DOWN)
    bands = cost.tally.energy_by_band
    assert cost.tally.energy_by_module.sum() == pytest.approx(sum(bands.values()) - bands["compute"])
    # s alone crosses the backhaul; elsewhere energies divide as bits do.
    assert cost.tally.energy_by_module[0] == pytest.approx(7 + 3.5 + bands["backhaul"])


class TestTwoCells:
    """One device a cell: the first trains 3 s and owns s and a, the second trains 1 s and owns s and b.

    s: edge every round, cloud every 4; a: edge and cloud every 2; b: edge every 2, never cloud. Seconds by kind of
    round, before + after the meeting at the cloud:

    * first cell (1 Mbit/s up, 4 down): 3 + 4 + 1 | 3 + 5 + 0.6, 0.6 + 1.25 | 3 + 5 + 1.0, 1.0 + 1.25
    * second cell (1 up, 2 down): 1 + 4 + 2 | 1 + 6 + 3, 0 | 1 + 6 + 0.9, 0.9 + 3
    """

    CIRCULATION = circulation(s=(None, 1, 4), a=(None, 2, 2), b=(None, 2))

    @pytest.fixture
    def problem(self):
        return small_problem([[(300, 0)], [(0, 100)]], uplink=[[1], [1]], downlink=[[4], [2]])

    @pytest.fixture
    def plan(self, problem):
        kinds = [
            [round_plan(cell, uplink=tree(f"d{i}0>e{i}"), downlink=tree(f"e{i}>d{i}0"))] * 3
            for i, cell in enumerate(problem.cells)
        ]
        return whole_plan(problem, self.CIRCULATION, kinds)

    def test_kinds_of_the_cycle(self, problem, plan):
        assert cycle_kinds(problem, plan) == [0, 1, 0, 2]

    def test_latency_runs_freely_between_meetings(self, problem, plan):
        # First segment: max(8 + 8.6, 7 + 10) = 17, then 1.85; second: max(8 + 9, 7 + 7.9) = 17, then 3.9.
        # A meeting every round would give 18 in the first segment: cells must run freely.
        evaluation = evaluate_plan(problem, plan)
        assert evaluation.cycle_rounds == 4
        assert evaluation.latency_s == pytest.approx((17 + 1.85 + 17 + 3.9) / 4)

    def test_energy_and_bits(self, problem, plan):
        evaluation = evaluate_plan(problem, plan)
        first = 5 + (6.25 + 0.4) + 5 + (6.25 + 2.0)
        second = 6 + 9 + 6 + (9 + 1.6)
        assert evaluation.energy_j == pytest.approx((4 * 400 + first + second) / 4)
        assert evaluation.bits == pytest.approx(96e6 / 4)
        assert evaluation.breakdown.energy_by_cell_j == pytest.approx({"e0": 300 + first / 4, "e1": 100 + second / 4})
        assert evaluation.breakdown.busy_by_cell_s == pytest.approx(
            {"e0": (8 + 8.6 + 1.85 + 8 + 9 + 2.25) / 4, "e1": (7 + 10 + 7 + 7.9 + 3.9) / 4}
        )

    def test_breakdown_adds_up(self, problem, plan):
        evaluation = evaluate_plan(problem, plan)
        parts = evaluation.breakdown
        assert sum(parts.energy_by_cell_j.values()) == pytest.approx(evaluation.energy_j)
        assert sum(parts.energy_by_band_j.values()) == pytest.approx(evaluation.energy_j)
        radio = evaluation.energy_j - parts.energy_by_band_j["compute"]
        assert sum(parts.energy_by_module_j.values()) == pytest.approx(radio)
        assert sum(parts.bits_by_band.values()) == pytest.approx(evaluation.bits)

    def test_drift(self, problem, plan):
        # I = 1, 2, 2 and G = 4, 2, 200 (never counts as the horizon).
        assert evaluate_plan(problem, plan).drift == pytest.approx((0 + 3 + 3) + (15 + 3 + 39999))

    @pytest.mark.parametrize("cycles", [1, 2, 7])
    def test_a_run_of_whole_cycles_costs_that_many_cycles(self, problem, plan, cycles):
        evaluation, run = evaluate_plan(problem, plan), run_cost(problem, plan, 4 * cycles)
        assert run.latency_s == pytest.approx(4 * cycles * evaluation.latency_s)
        assert run.energy_j == pytest.approx(4 * cycles * evaluation.energy_j)
        assert run.bits == pytest.approx(4 * cycles * evaluation.bits)

    def test_a_run_that_stops_between_meetings(self, problem, plan):
        assert run_cost(problem, plan, 0).latency_s == 0.0
        assert run_cost(problem, plan, 1).latency_s == pytest.approx(8)
        assert run_cost(problem, plan, 2).latency_s == pytest.approx(18.85)
        assert run_cost(problem, plan, 3).latency_s == pytest.approx(18.85 + 8)

    def test_a_plan_that_takes_over_starts_where_the_other_stopped(self, problem, plan):
        """The same plan under two names; and one that takes over between meetings, when the cells are apart."""
        whole = run_cost(problem, plan, 7)
        again = schedule_cost(problem, ((1, plan), (5, plan)), 7)
        assert (again.latency_s, again.energy_j, again.bits) == (whole.latency_s, whole.energy_j, whole.bits)
        idle = circulation(s=(None, None), a=(None, None), b=(None, None))
        none = whole_plan(problem, idle, [[round_plan(cell)] for cell in problem.cells])
        mixed = schedule_cost(problem, ((1, none), (2, plan)), 2)
        kinds = kind_costs(problem, none), kind_costs(problem, plan)
        ends = kinds[0].before_s[0] + kinds[1].before_s[1]
        assert mixed.latency_s == pytest.approx(ends.max() + kinds[1].after_s[1].max())
        assert mixed.energy_j == pytest.approx(kinds[0].energy_j[0].sum() + kinds[1].energy_j[1].sum())

    def test_without_the_cloud_the_slowest_cell_sets_the_pace(self, problem):
        rounds = [
            [round_plan(cell, uplink=tree(f"d{i}0>e{i}"), downlink=tree(f"e{i}>d{i}0"))] * 2
            for i, cell in enumerate(problem.cells)
        ]
        plan = whole_plan(problem, circulation(s=(None, 1), a=(None, 2), b=(None, 2)), rounds)
        # First cell 8 and 3 + 5 + 1.25, second 7 and 10.
        assert evaluate_plan(problem, plan).latency_s == pytest.approx(max(8 + 9.25, 7 + 10) / 2)


class TestCollection:
    """Published arithmetic: a plan that never reaches the cloud ends its (here 5) rounds with handing in the result."""

    @pytest.fixture
    def problem(self):
        return small_problem([[(1, 1)], [(1, 1)]], uplink=[[1], [7]], downlink=[[1], [1]], profile="reference")

    @staticmethod
    def plan(problem, **change):
        rounds = [round_plan(cell, uplink=tree(f"d{i}0>e{i}")) for i, cell in enumerate(problem.cells)]
        return whole_plan(
            problem,
            change.get("circ", circulation(s=(None, 1), a=(None, 1), b=(None, 1))),
            [[r] for r in rounds],
            change.get("collections", rounds),
        )

    def test_collection_costs_time_and_no_energy_of_the_backhaul(self, problem):
        # 7 Mbit: first cell 7 s, second 1 s at 0.5 W; the hand-in takes 0.5 + 0.7 s once, after five uploads.
        evaluation = evaluate_plan(problem, self.plan(problem))
        assert evaluation.cycle_rounds == 5
        assert evaluation.latency_s == pytest.approx((5 * 7 + 1.2) / 5)
        assert evaluation.energy_j == pytest.approx(0.5 * (7 + 1))

    def test_a_run_has_no_collection(self, problem):
        assert run_cost(problem, self.plan(problem), 10).latency_s == pytest.approx(70)

    def test_collection_is_asked_for(self, problem):
        with pytest.raises(InputError, match=r"cells\[0\].collection"):
            evaluate_plan(problem, self.plan(problem, collections=None))

    def test_collection_is_refused_where_the_cloud_is_reached(self, problem):
        plan = self.plan(problem, circ=circulation(s=(None, 1, 1), a=(None, 1), b=(None, 1)))
        with pytest.raises(InputError, match="only the published arithmetic"):
            evaluate_plan(problem, plan)


def test_zero_payload_moves_nothing_and_takes_no_time():
    free = small_problem(CHAIN, uplink=[[1, 2, 4]], downlink=[[2, 4, 8]])
    free.payload_bit[:] = 0
    cost = cost_of(free, circulation(s=(None, None, 1)), uplink=UP, downlink=DOWN)
    assert (cost.before_s, cost.after_s) == (3.0, 0.0)
    assert np.isclose(energy(cost), 600.0)
