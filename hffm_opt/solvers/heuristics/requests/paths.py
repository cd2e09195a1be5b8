"""The fastest path of one transfer alone, as all rules take it: least airtime and delay, by Dijkstra's algorithm.

Airtimes of hops are added up, which is exact where they share a resource, and prefers few hops where they do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx

from hffm_opt.errors import InfeasibleError
from hffm_opt.plan.holders import RelayingProblem
from hffm_opt.solvers.formulations.relaying_shares import Route


def fastest(relaying: RelayingProblem, k: int, holders: Sequence[int]) -> Route:
    """Return the fastest route to a transfer's device from any of some holders.

    Raises:
        InfeasibleError: no holder, or none with a path.
    """
    network, wanted = relaying.network, relaying.wanted[k]
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(network.nodes)))
    for (source, target), a in network.arc.items():
        graph.add_edge(source, target, s=float(network.s_per_bit[a]) * wanted.bits + float(network.delay_s[a]))
    if holders:
        try:
            nodes: list[int] = nx.multi_source_dijkstra_path(graph, set(holders), weight="s")[wanted.device]
        except KeyError:
            pass
        else:
            return Route(tuple(nodes))
    raise InfeasibleError.one(
        f"requests.asked[{wanted.request}]",
        f"this rule finds no holder of '{wanted.module}' with a path to {network.nodes[wanted.device]}",
        "use --method optimal, or let the module be averaged where the rule looks for it",
    )
