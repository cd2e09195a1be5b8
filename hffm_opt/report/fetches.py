"""The paths over which a placement's fetches go, and what fetching everything once takes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

from hffm_opt.plan.placement import Fetch, PlacementPlan
from hffm_opt.problem.model import Problem
from hffm_opt.problem.relay_network import relay_network


@dataclass(frozen=True)
class FetchPath:
    """A copy of an expert for a device or an edge server: the nodes it passes, its bits, and what its links charge."""

    fetch: Fetch
    nodes: tuple[str, ...]
    bits: float
    seconds: float
    joules: float

    @property
    def receiver(self) -> str:
        """The node that it is for."""
        return self.nodes[-1]


def fetch_paths(problem: Problem, plan: PlacementPlan) -> tuple[FetchPath, ...]:
    """Return the path of every copy for an edge server, and then of every fetch.

    Each is the cheapest by the planner's weights of joules and seconds, as the placement priced it; a link has all its
    band while it sends.
    """
    network, weights = relay_network(problem), problem.scenario.planning
    graph: nx.DiGraph[str] = nx.DiGraph()
    for (start, end), a in network.arc.items():
        seconds, joules = float(network.s_per_bit[a]), float(network.j_per_bit[a])
        price = weights.energy_weight * joules + weights.latency_weight * seconds
        graph.add_edge(network.nodes[start], network.nodes[end], price=price, seconds=seconds, joules=joules)
    payload = dict(zip(problem.modules, map(float, problem.payload_bit), strict=True))
    wanted = [(cache, cache.host, str(cache.edge)) for cache in plan.caches]
    wanted += [(fetch, fetch.edge or fetch.host, fetch.device) for fetch in plan.fetches]
    found = []
    for fetch, source, target in wanted:
        nodes, bits = nx.dijkstra_path(graph, source, target, weight="price"), payload[fetch.module]
        links = [graph.edges[pair] for pair in pairwise(nodes)]
        seconds, joules = (bits * sum(link[what] for link in links) for what in ("seconds", "joules"))
        found.append(FetchPath(fetch, tuple(nodes), bits, seconds, joules))
    return tuple(found)
