"""Fetches of a placement: who gets whose copy of an expert, over which links, how often, and what that costs.

Right after the averages of every ``every``-th round all nodes meet, and nobody goes on until the last copy has come.
Copies cross their cheapest paths one after another, each hop with its link's whole time, fixed delay included: so what
a fetch takes is the sum over its hops, which is what a placement prices. Edge servers get what they keep first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
from pydantic import Field

from hffm_opt.errors import InputError
from hffm_opt.plan.module_relaying import hop_cost
from hffm_opt.problem.model import Ints, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.problem.relay_network import RelayNetwork, relay_network
from hffm_opt.scenario.model import Frozen, Name


class Fetch(Frozen):
    """A device fetches an expert that ``host`` trains, from it or from the edge server that keeps its copy."""

    device: Name
    module: Name
    host: Name
    edge: Name | None = None


class Fetching(Frozen):
    """What is fetched after the averages of every ``every``-th round; ``caches`` go to edge servers, and go first."""

    every: Annotated[int, Field(ge=1)]
    caches: tuple[Fetch, ...] = ()
    fetches: Annotated[tuple[Fetch, ...], Field(min_length=1)]

    def due(self, number: int) -> bool:
        """Return whether everything is fetched after round ``number`` (from 1).

        >>> wanted = Fetch(device="device-1", module="expert-0", host="device-0")
        >>> [Fetching(every=2, fetches=(wanted,)).due(number) for number in (1, 2, 3, 4)]
        [False, True, False, True]
        """
        return number % self.every == 0

    def copies(self) -> Iterator[tuple[Fetch, str, str]]:
        """Yield every copy that is sent with the nodes from and to which it goes, in order."""
        for cache in self.caches:
            yield cache, cache.host, str(cache.edge)
        for fetch in self.fetches:
            yield fetch, fetch.host if fetch.edge is None else fetch.edge, fetch.device


@dataclass(frozen=True, eq=False)
class CheapestPaths:
    """The cheapest paths of a copy between all N nodes: ``price`` [N, N] in the planner's unit, infinite without one.

    ``before`` [N, N] is the node before the target (column) on the way from the source (row).
    """

    network: RelayNetwork
    price: Floats
    before: Ints

    def path(self, source: str, target: str) -> tuple[str, ...]:
        """Return the nodes from source to target; empty where there is no path."""
        start, node = self.network.index[source], self.network.index[target]
        if not np.isfinite(self.price[start, node]):
            return ()
        nodes = [node]
        while node != start:
            node = int(self.before[start, node])
            nodes.append(node)
        return tuple(self.network.nodes[v] for v in reversed(nodes))


def cheapest_paths(problem: Problem, bits: float, network: RelayNetwork | None = None) -> CheapestPaths:
    """Return the paths of least ``w_E J + w_T s`` for a copy of a size; their prices include fixed delays.

    Args:
        problem: the compiled scenario.
        bits: the size of the copy.
        network: its links, where they are known already.

    Example:
        >>> from hffm_opt.problem.build import build_problem
        >>> from hffm_opt.scenario.read import load_scenario
        >>> cheapest_paths(build_problem(load_scenario("tiny")), 1e6).path("device-0-0", "edge-1")
        ('device-0-0', 'edge-0', 'cloud', 'edge-1')
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import shortest_path

    network, weights = network or relay_network(problem), problem.scenario.planning
    joules = network.j_per_bit * bits + network.delay_j * (bits > 0)
    seconds = network.s_per_bit * bits + network.delay_s * (bits > 0)
    cost = weights.energy_weight * joules + weights.latency_weight * seconds
    # A sparse matrix takes zeros for links that are not there.
    graph = csr_array((np.maximum(cost, 1e-300), (network.source, network.target)), shape=(len(network.nodes),) * 2)
    price, before = shortest_path(graph, method="D", return_predecessors=True)
    return CheapestPaths(network, price, before.astype(np.int64))


def fetch_paths(problem: Problem, fetching: Fetching, network: RelayNetwork | None = None) -> list[tuple[str, ...]]:
    """Return the nodes that each of :meth:`Fetching.copies` passes, in their order.

    Args:
        problem: the compiled scenario.
        fetching: what is fetched.
        network: the scenario's links, where they are known already.

    Raises:
        InputError: no links lead there.
    """
    network = network or relay_network(problem)
    bits = dict(zip(problem.modules, problem.payload_bit.tolist(), strict=True))
    found: dict[float, CheapestPaths] = {}
    paths = []
    for fetch, source, target in fetching.copies():
        size = bits[fetch.module]
        if size not in found:
            found[size] = cheapest_paths(problem, size, network)
        path = found[size].path(source, target)
        if not path:
            raise InputError.one("fetches", f"no links lead from {source} to {target}", "place the experts anew")
        paths.append(path)
    return paths


@dataclass(frozen=True, eq=False)
class FetchCost:
    """What all fetches take once: seconds of everybody, joules by band, and charged bits over all hops."""

    seconds: float
    joules_by_band: dict[str, float]
    bits: float

    @property
    def joules(self) -> float:
        """Joules of all bands."""
        return sum(self.joules_by_band.values())


def fetch_cost(problem: Problem, fetching: Fetching) -> FetchCost:
    """Let the referee count what all fetches take once, from the links' rates and delays alone.

    Args:
        problem: the placed scenario, compiled.
        fetching: what is fetched; every copy must have a path.
    """
    network = relay_network(problem)
    size = dict(zip(problem.modules, problem.payload_bit.tolist(), strict=True))
    seconds, moved, joules = 0.0, 0.0, defaultdict[str, float](float)
    for (fetch, _, _), path in zip(fetching.copies(), fetch_paths(problem, fetching, network), strict=True):
        bits = size[fetch.module]
        for one, other in pairwise(path) if bits else ():
            a = network.arc[network.index[one], network.index[other]]
            seconds += float(bits * network.s_per_bit[a] + network.delay_s[a])
            band = hop_cost(problem, one, other)[0].band
            joules[band] += float(bits * network.j_per_bit[a] + network.delay_j[a])
            moved += bits
    return FetchCost(seconds, dict(joules), moved)
