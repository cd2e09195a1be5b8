"""Fetches of a placement carried out: experts cross the cheapest paths as bytes to the devices that do not train them.

One fetch of everything, as it happens every ``fetch_rounds`` rounds; edge servers get the copies that they keep first.
Each hop has its links' whole time, one after another, so that what the ledger adds up to is what the placement priced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from hffm_opt.learning.aggregation import Statistic
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.payload import sha256
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.learning.transport import Post
from hffm_opt.plan.module_relaying import hop_cost
from hffm_opt.plan.placement import Fetch, PlacementPlan
from hffm_opt.problem.model import Problem
from hffm_opt.problem.relay_network import relay_network
from hffm_opt.trace.ledger import Ledger, LedgerEntry
from hffm_opt.units import bytes_to_bit


@dataclass(frozen=True, eq=False)
class Fetched:
    """The states in which devices hold what they fetched, who now has which expert (bool [U]), and the ledger."""

    states: StackedStates
    owners: dict[str, NDArray[np.bool_]]
    ledger: Ledger


def fetch(
    problem: Problem, plan: PlacementPlan, modules: Mapping[str, Module], states: StackedStates, number: int
) -> Fetched:
    """Carry out all fetches of a placement once.

    Args:
        problem: the placed scenario, compiled.
        plan: the placement.
        modules: the trainable modules by name.
        states: the copies of all U devices.
        number: the round after which this happens.

    Raises:
        InputError: a payload is not as planned, or a copy is not finite.
    """
    rows = {device.name: u for u, device in enumerate(problem.scenario.devices)}
    graph, post = _graph(problem), Post(problem, modules, number)
    owners = {m: problem.owners[:, problem.modules.index(m)].copy() for m in plan.hosts}
    entries, kept, after = list[LedgerEntry](), dict[tuple[str, str | None, str], bytes](), states

    def sent(host: str, module: str) -> bytes:
        return post.encode(module, Statistic.of(states.of_device(rows[host], module), 1.0))

    for cache in plan.caches:
        data = sent(cache.host, cache.module)
        kept[cache.host, cache.edge, cache.module] = _carry(problem, graph, post, cache, cache.host, data, entries)
    for wanted in plan.fetches:
        source = wanted.host if wanted.edge is None else wanted.edge
        key = (wanted.host, wanted.edge, wanted.module)
        data = kept[key] if wanted.edge is not None else sent(wanted.host, wanted.module)
        received = _carry(problem, graph, post, wanted, source, data, entries)
        row = rows[wanted.device]
        after = after.replace(wanted.module, [row], post.decode(wanted.module, received)[0])
        owners[wanted.module][row] = True
    return Fetched(after, owners, Ledger.of(entries))


def _graph(problem: Problem) -> nx.DiGraph[str]:
    network, weights = relay_network(problem), problem.scenario.planning
    graph: nx.DiGraph[str] = nx.DiGraph()
    for (source, target), a in network.arc.items():
        price = weights.energy_weight * network.j_per_bit[a] + weights.latency_weight * network.s_per_bit[a]
        graph.add_edge(network.nodes[source], network.nodes[target], price=float(price))
    return graph


def _carry(
    problem: Problem,
    graph: nx.DiGraph[str],
    post: Post,
    wanted: Fetch,
    source: str,
    data: bytes,
    entries: list[LedgerEntry],
) -> bytes:
    """Pass bytes along the cheapest path to ``wanted.device``; write every hop down."""
    path: list[str] = nx.dijkstra_path(graph, source, wanted.device, weight="price")
    bits = int(problem.payload_bit[problem.modules.index(wanted.module)])
    digest, now = sha256(data), max((entry.start_s + entry.seconds for entry in entries), default=0.0)
    for one, other in pairwise(path):
        link, resource = hop_cost(problem, one, other)
        data = bytes(data)
        seconds = link.s_per_bit * bits
        what = (wanted.module, bits, bytes_to_bit(len(data)), now, seconds, link.j_per_bit * bits)
        entries.append(LedgerEntry(post.number, "relay", resource, one, other, *what))
        now += seconds
    assert sha256(data) == digest
    return data
