"""The simulated clock: when transfers start and end, found by following events, never by a closed form.

A transfer starts when everything that its sender waits for has arrived, and lasts as long as the link's law says. The
referee adds up the same laws along trees; that both agree is a test, not a construction.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hffm_opt.errors import InputError
from hffm_opt.plan.costs import LinkCost, tree_link_cost
from hffm_opt.plan.trees import IndexedTree, node_names
from hffm_opt.problem.model import Cell, Problem
from hffm_opt.problem.radio import Floats

Transmit = Callable[[int, float], float]


@dataclass(frozen=True)
class Hop:
    """A directed link in use: the names of its ends and what it costs."""

    source: str
    target: str
    link: LinkCost


@dataclass(frozen=True)
class Charge:
    """What the cost model charges for one transfer."""

    bits: int
    seconds: float
    joules: float


def inward(tree: IndexedTree, ready_s: Floats, transmit: Transmit) -> float:
    """Run a gathering: each node sends to its parent once it is ready and all its children have sent.

    Args:
        tree: the tree.
        ready_s: [n] when each device of the cell is ready; the event lasts at least until the last of them is.
        transmit: called with (node, start) when a node sends; performs the transfer and returns its seconds.

    Returns:
        The clock at the end of the event.
    """
    waits_for = Counter(tree.parent.values())
    devices = [v for v in {*tree.order, tree.root} if v < len(ready_s)]
    waits_for.update(devices)
    events = [(float(ready_s[v]), v) for v in devices]
    heapq.heapify(events)
    now = 0.0
    while events:
        now, node = heapq.heappop(events)
        waits_for[node] -= 1
        if waits_for[node] == 0 and node != tree.root:
            heapq.heappush(events, (now + transmit(node, now), tree.parent[node]))
    return max(now, float(ready_s.max(initial=0.0)))


def outward(tree: IndexedTree, start_s: float, transmit: Transmit) -> float:
    """Run a scattering: each node passes on to its children as soon as it has received; see :func:`inward`."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for node in tree.order:
        children[tree.parent[node]].append(node)
    events, now = [(start_s, tree.root)], start_s
    while events:
        now, node = heapq.heappop(events)
        for child in children[node]:
            heapq.heappush(events, (now + transmit(child, now), child))
    return now


def hops_of(problem: Problem, cell: Cell, tree: IndexedTree, out: bool) -> dict[int, Hop]:
    """Return the link between every node of a tree and its parent, in the direction of travel.

    Raises:
        InputError: a link carries nothing at all (no gain, or no allocation).
    """
    names = list(node_names(cell))
    hops = {}
    for node in tree.order:
        ends = (tree.parent[node], node) if out else (node, tree.parent[node])
        link = tree_link_cost(problem, cell, tree, node, out)
        if not np.isfinite(link.s_per_bit):
            raise InputError.one(
                f"cells.{cell.edge.name}",
                f"the plan uses {names[ends[0]]} -> {names[ends[1]]}, where there is no link",
                "relay through another device",
            )
        hops[node] = Hop(names[ends[0]], names[ends[1]], link)
    return hops


def charge(problem: Problem, link: LinkCost, copies: Mapping[str, int]) -> Charge:
    """Return what a transfer of some copies of modules is charged for.

    The published arithmetic lets copies that are forwarded together pass each other: they take the time of one.
    """
    payload_bit = dict(zip(problem.modules, problem.payload_bit, strict=True))
    bits = int(sum(count * payload_bit[module] for module, count in copies.items()))
    queued = sum(payload_bit[module] for module in copies) if problem.published else bits
    return Charge(bits, link.seconds(queued), link.joules(bits))


def meet(arrivals_s: Floats, after: Callable[[float, int], float]) -> Floats:
    """Return the clocks of cells that meet at the cloud.

    The meeting is when the last cell has arrived; all go on when the last has its result, which is when ``after``
    (called with the meeting's time and each cell's index) says that the cell is done.
    """
    meeting = float(arrivals_s.max())
    ends = [after(meeting, index) for index in range(len(arrivals_s))]
    return np.full(len(arrivals_s), max(ends))
