"""Gathering and scattering along trees, worked out by hand (see small_networks for the units)."""

import numpy as np
import pytest
from small_networks import small_problem, tree

from hffm_opt.plan.costs import Tally, arc_cost, backhaul_cost, direct_cost, tree_cost
from hffm_opt.plan.trees import index_tree

# Device 0 owns s and a, device 1 owns s and b, device 2 owns all; training ends after 1, 3 and 2 s.
CHAIN = [[(100, 0), (0, 300), (100, 100)]]
READY = np.array([1.0, 3.0, 2.0])
S, A, B = 0, 1, 2


@pytest.fixture
def problem():
    return small_problem(
        CHAIN,
        uplink=[[1, 2, 4]],
        downlink=[[2, 4, 8]],
        d2d={(0, 0, 1): 1, (0, 1, 2): 2, (0, 2, 1): 4, (0, 1, 0): 2, (0, 0, 2): 4, (0, 2, 0): 8},
    )


def gather(problem, owners, *links, root=2, relay="sum", charge="own", ready=READY):
    cell = problem.cells[0]
    required = np.asarray(owners.any(axis=1))
    indexed = index_tree(cell, tree(*links, relay=relay, charge=charge), root, required, False, "tree")
    return tree_cost(problem, cell, indexed, owners, ready, outward=False)


def scatter(problem, owners, *links, root=2, relay="sum"):
    cell = problem.cells[0]
    indexed = index_tree(cell, tree(*links, relay=relay), root, np.asarray(owners.any(axis=1)), True, "tree")
    return tree_cost(problem, cell, indexed, owners, np.zeros(3), outward=True)


def joules(cost):
    return sum(transfer.joules for transfer in cost.transfers)


def owned(problem, *modules):
    chosen = np.isin(np.arange(3), modules)
    return problem.cell_owners(problem.cells[0]) & chosen


def test_the_network_is_as_described(problem):
    assert problem.owners.tolist() == [[True, True, False], [True, False, True], [True, True, True]]
    assert (problem.cycles / problem.cpu_max_hz).tolist() == [1.0, 3.0, 2.0]


def test_chain_with_sums_waits_for_the_relay_and_carries_one_copy(problem):
    # 0 -> 1: s + a = 5 Mbit at 1 Mbit/s; 1 -> 2: s + a + b = 7 Mbit at 2 Mbit/s. R_1 = max(3, 1 + 5) = 6.
    cost = gather(problem, owned(problem, S, A, B), "d00>d01", "d01>d02")
    assert [t.bits for t in cost.transfers] == [5e6, 7e6]
    assert cost.time_s == pytest.approx(9.5)
    assert joules(cost) == pytest.approx(5 + 3.5)


def test_chain_with_forwarding_carries_every_owners_copy(problem):
    # 1 -> 2: two copies of s, one of a and of b: 11 Mbit at 2 Mbit/s.
    cost = gather(problem, owned(problem, S, A, B), "d00>d01", "d01>d02", relay="forward")
    assert [t.bits for t in cost.transfers] == [5e6, 11e6]
    assert [t.copies for t in cost.transfers] == [(1, 1, 0), (2, 1, 1)]
    assert cost.time_s == pytest.approx(6 + 5.5)
    assert joules(cost) == pytest.approx(5 + 5.5)


def test_a_relay_that_owns_nothing_of_the_event_still_finishes_its_training_first(problem):
    # Only a moves (owners 0 and 2). R_1 = max(3, 1 + 1) = 3; 1 -> 2: 1 Mbit at 2 Mbit/s.
    cost = gather(problem, owned(problem, A), "d00>d01", "d01>d02")
    assert [t.bits for t in cost.transfers] == [1e6, 1e6]
    assert cost.time_s == pytest.approx(3.5)


def test_branches_arrive_at_the_slowest_one(problem):
    # 0 -> 2: 5 Mbit at 4 Mbit/s ends at 2.25; 1 -> 2: s + b = 6 Mbit at 2 Mbit/s ends at 6.
    cost = gather(problem, owned(problem, S, A, B), "d00>d02", "d01>d02")
    assert cost.time_s == pytest.approx(6.0)
    assert joules(cost) == pytest.approx(1.25 + 3)


def test_a_device_that_takes_no_part_is_waited_for(problem):
    # The event is the cell's round: nobody starts the next before all have trained.
    cost = gather(problem, owned(problem, A), "d00>d02")
    assert cost.time_s == pytest.approx(3.0)


def test_a_leaf_without_anything_to_send_costs_nothing(problem):
    with_leaf = gather(problem, owned(problem, A), "d00>d02", "d01>d02", ready=np.zeros(3))
    without = gather(problem, owned(problem, A), "d00>d02", ready=np.zeros(3))
    assert with_leaf.time_s == without.time_s == pytest.approx(0.25)
    assert joules(with_leaf) == joules(without)


def test_scatter_carries_what_lives_below(problem):
    # 2 -> 1: s + a + b = 7 Mbit at 4 Mbit/s; 1 -> 0: s + a = 5 Mbit at 2 Mbit/s.
    cost = scatter(problem, owned(problem, S, A, B), "d02>d01", "d01>d00")
    assert cost.time_s == pytest.approx(1.75 + 2.5)
    assert joules(cost) == pytest.approx(1.75 + 2.5)


def test_gather_at_the_edge_mixes_d2d_and_uplink(problem):
    # 0 -> 1 as before (R_1 = 6), 1 -> edge: 7 Mbit at 2 Mbit/s ends at 9.5; 2 -> edge: 7 Mbit at 4 Mbit/s ends at 3.75.
    cost = gather(problem, owned(problem, S, A, B), "d00>d01", "d01>e0", "d02>e0", root=3)
    assert cost.time_s == pytest.approx(9.5)
    assert sorted(t.band for t in cost.transfers) == ["d2d", "uplink", "uplink"]


def test_the_uploader_adds_up_what_was_forwarded_to_it(problem):
    # 0 -> 1 -> 2 forwarded, but one copy of each leaves 2 for the edge: 7 Mbit at 4 Mbit/s.
    cost = gather(problem, owned(problem, S, A, B), "d00>d01", "d01>d02", "d02>e0", root=3, relay="forward")
    assert [t.bits for t in cost.transfers] == [5e6, 11e6, 7e6]
    assert cost.time_s == pytest.approx(6 + 5.5 + 1.75)


def test_direct_links_of_the_cloud(problem):
    # Each device sends past the edge: 1 s and 1 s/Mbit; the slowest is device 1: 3 + 1 + 6.
    cost = gather(problem, owned(problem, S, A, B), "d00>cloud", "d01>cloud", "d02>cloud", root=4)
    assert cost.time_s == pytest.approx(10.0)
    assert joules(cost) == pytest.approx(3 * (5 + 6 + 7))


def test_an_unreachable_link_costs_infinitely_much_and_only_where_it_is_used():
    problem = small_problem(CHAIN, uplink=[[1, 1, 1]], downlink=[[1, 1, 1]])
    cost = gather(problem, owned(problem, A), "d00>d02", "d01>d02")
    assert cost.time_s == np.inf
    tally = Tally(3)
    tally.add_transfers(cost.transfers, problem.payload_bit)
    assert tally.energy_by_module.tolist() == [0.0, np.inf, 0.0]


class TestPublishedArithmetic:
    """Forwarded copies pass each other; powers charged differ from powers sent; delays cost energy."""

    @pytest.fixture
    def problem(self):
        return small_problem(
            CHAIN,
            uplink=[[1, 2, 4]],
            downlink=[[2, 4, 8]],
            d2d={(0, 0, 1): 1, (0, 1, 2): 2},
            profile="reference",
        )

    def test_training_is_free(self, problem):
        assert not problem.cycles.any()

    def test_forwarded_copies_delay_each_other_not_but_cost_all_their_energy(self, problem):
        # Device 0's own copy takes 5 s on the first arc; on the second every module's copy takes 7 Mbit / 2 = 3.5 s.
        # Energy: 5 Mbit and 11 Mbit charged at 0.25 W.
        cost = gather(problem, owned(problem, S, A, B), "d00>d01", "d01>d02", relay="forward", ready=np.zeros(3))
        assert cost.time_s == pytest.approx(5 + 3.5)
        assert joules(cost) == pytest.approx(0.25 * (5 + 5.5))

    def test_a_random_uploader_is_charged_at_the_mean(self, problem):
        # 7 Mbit at 1, 2 and 4 Mbit/s: the mean of 7, 3.5 and 1.75 s, charged at 0.5 W.
        cost = gather(
            problem,
            owned(problem, S, A, B),
            *("d00>d01", "d01>d02", "d02>e0"),
            root=3,
            relay="forward",
            charge="mean",
            ready=np.zeros(3),
        )
        uplink = cost.transfers[-1]
        assert uplink.band == "uplink"
        assert uplink.seconds == pytest.approx((7 + 3.5 + 1.75) / 3)
        assert uplink.joules == pytest.approx(0.5 * (7 + 3.5 + 1.75) / 3)

    def test_fixed_delays_are_charged(self, problem):
        assert backhaul_cost(problem, problem.cells[0]).joules(10e6) == pytest.approx(2.0 * (0.5 + 1.0))
        assert direct_cost(problem).joules(10e6) == pytest.approx(3.0 * (1.0 + 10.0))


def test_correct_arithmetic_charges_no_energy_for_waiting(problem):
    assert backhaul_cost(problem, problem.cells[0]).seconds(10e6) == pytest.approx(1.5)
    assert backhaul_cost(problem, problem.cells[0]).joules(10e6) == pytest.approx(2.0)
    assert direct_cost(problem).joules(10e6) == pytest.approx(30.0)


def test_arc_costs_of_every_band(problem):
    cell = problem.cells[0]
    arcs = {"d00>d01": (0, 1, "d2d", 1), "d01>e0": (1, 3, "uplink", 2), "e0>d02": (3, 2, "downlink", 8)}
    for link, (source, target, band, rate) in arcs.items():
        cost = arc_cost(problem, cell, tree(link).arcs[0], source, target)
        assert cost.band == band
        assert cost.seconds(1e6) == pytest.approx(1 / rate)
        assert cost.seconds(0.0) == cost.joules(0.0) == 0.0
