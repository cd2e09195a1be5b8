"""Paths and costs of fetches: against a second engine, and by hand."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

from hffm_opt.errors import InputError
from hffm_opt.plan.fetching import Fetch, Fetching, cheapest_paths, fetch_cost, fetch_paths
from hffm_opt.plan.module_relaying import hop_cost
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.read import load_scenario

SIZES = (0.0, 1e3, 1e5, 1e7)


def problem(**planning):
    scenario = load_scenario("m3t")
    return build_problem(
        scenario.model_copy(update={"planning": scenario.planning.model_copy(update=planning)} if planning else {})
    )


@pytest.mark.parametrize("bits", SIZES)
@pytest.mark.parametrize("weights", [(1.0, 0.5), (0.0, 1.0), (1.0, 0.0)])
def test_prices_are_those_of_a_second_engine(bits, weights):
    latency, energy = weights
    made = problem(latency_weight=latency, energy_weight=energy)
    paths = cheapest_paths(made, bits)
    graph = nx.DiGraph()
    for source, target in paths.network.arc:
        one, other = paths.network.nodes[source], paths.network.nodes[target]
        link, _ = hop_cost(made, one, other)
        graph.add_edge(one, other, price=latency * link.seconds(bits) + energy * link.joules(bits))
    found = dict(nx.all_pairs_dijkstra_path_length(graph, weight="price"))
    for i, one in enumerate(paths.network.nodes):
        for j, other in enumerate(paths.network.nodes):
            assert paths.price[i, j] == pytest.approx(found[one][other], rel=1e-9, abs=1e-290)
            along = paths.path(one, other)
            assert (along[0], along[-1]) == (one, other)
            total = sum(graph.edges[pair]["price"] for pair in pairwise(along))
            assert total == pytest.approx(paths.price[i, j], rel=1e-9, abs=1e-290)


def test_small_copies_avoid_delays_that_large_ones_take():
    made = problem()
    hops = [len(cheapest_paths(made, bits).path("device-0-0", "device-1-0")) for bits in SIZES[1:]]
    assert hops[0] <= hops[-1]
    network = cheapest_paths(made, 1e3).network
    a = network.arc[network.index["edge-0"], network.cloud]
    assert network.delay_s[a] > 1e3 * network.s_per_bit[a]


def test_what_a_fetch_takes_by_hand():
    made = problem()
    copy = Fetch(device="edge-0", module="expert-0", host="device-0-0", edge="edge-0")
    wanted = Fetch(device="device-0-1", module="expert-0", host="device-0-0", edge="edge-0")
    fetching = Fetching(every=3, caches=(copy,), fetches=(wanted,))
    assert [number for number in range(1, 10) if fetching.due(number)] == [3, 6, 9]
    cost, paths = fetch_cost(made, fetching), fetch_paths(made, fetching)
    assert [(path[0], path[-1]) for path in paths] == [("device-0-0", "edge-0"), ("edge-0", "device-0-1")]
    bits = int(made.payload_bit[made.modules.index("expert-0")])
    links = [hop_cost(made, *pair)[0] for path in paths for pair in pairwise(path)]
    assert cost.seconds == pytest.approx(sum(link.seconds(bits) for link in links), rel=1e-12)
    assert cost.joules == pytest.approx(sum(link.joules(bits) for link in links), rel=1e-12)
    assert cost.bits == bits * len(links)
    assert set(cost.joules_by_band) == {link.band for link in links}


def test_nodes_that_no_links_reach_are_told():
    scenario = load_scenario("m3t")
    cloud = scenario.cloud.model_copy(update={"direct": None})
    edges = tuple(edge.model_copy(update={"downlink_power_w": 0.0}) for edge in scenario.edges[:1])
    devices = tuple(device.model_copy(update={"d2d_power_w": 0.0, "d2d": False}) for device in scenario.devices)
    cut = build_problem(
        scenario.model_copy(update={"cloud": cloud, "devices": devices, "edges": (*edges, *scenario.edges[1:])})
    )
    assert not np.isfinite(cheapest_paths(cut, 1e5).price).all()
    lost = Fetching(every=1, fetches=(Fetch(device="device-0-1", module="expert-0", host="device-0-0"),))
    with pytest.raises(InputError, match="no links lead from device-0-0 to device-0-1"):
        fetch_paths(cut, lost)
