"""Fetches of a placement carried out: experts cross the cheapest paths as bytes to the devices that do not train them.

Edge servers get the copies that they keep first. Copies go one after another, each hop with its link's whole time; the
clock follows the hops. That this equals what the referee counts is a test.

Fetched copies stand beside those that a device trains, where nothing trains or averages them: they stay as they came
until the next fetch, and whoever has not fetched yet has its own experts alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hffm_opt.learning.aggregation import Statistic
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.states import Owners, StackedStates
from hffm_opt.learning.transport import Post, check_arrived, cross
from hffm_opt.plan.fetching import Fetch, Fetching, fetch_paths
from hffm_opt.plan.module_relaying import hop_cost
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.model import CLOUD
from hffm_opt.trace.ledger import LedgerEntry
from hffm_opt.units import bytes_to_bit


@dataclass(frozen=True, eq=False)
class Fetched:
    """The states in which devices hold what they fetched, the ledger's entries, and the clock when all have come."""

    states: StackedStates
    entries: tuple[LedgerEntry, ...]
    end_s: float


def fetch(
    problem: Problem,
    fetching: Fetching,
    modules: Mapping[str, Module],
    states: StackedStates,
    number: int,
    start_s: float = 0.0,
) -> Fetched:
    """Carry out all fetches of a placement once.

    Args:
        problem: the placed scenario, compiled.
        fetching: what is fetched.
        modules: the trainable modules by name.
        states: the copies of all U devices.
        number: the round after which this happens.
        start_s: the clock when all nodes have met.

    Raises:
        InputError: a payload is not as planned, a copy is not finite, or no links lead to whoever wants it.
    """
    rows = {device.name: u for u, device in enumerate(problem.scenario.devices)}
    carrier = _Carrier(problem, Post(problem, modules, number), start_s)
    kept, after = dict[tuple[str, str, str | None], bytes](), states
    paths = fetch_paths(problem, fetching)
    for (wanted, source, target), path in zip(fetching.copies(), paths, strict=True):
        if source in rows:
            copy = Statistic.of(states.of_device(rows[source], wanted.module), 1.0)
            data = carrier.post.encode(wanted.module, copy)
        else:
            data = kept[wanted.module, wanted.host, source]
        received = carrier.carry(wanted, path, data)
        if target in rows:
            after = after.replace(wanted.module, [rows[target]], carrier.post.decode(wanted.module, received)[0])
        else:
            kept[wanted.module, wanted.host, target] = received
    return Fetched(after, tuple(carrier.entries), carrier.now_s)


def holders(problem: Problem, fetching: Fetching, own: Owners) -> dict[str, NDArray[np.bool_]]:
    """Return which devices have each module once they have fetched, bool [U], given who keeps it as its own."""
    rows = {device.name: u for u, device in enumerate(problem.scenario.devices)}
    found = {name: np.array(kept, dtype=bool) for name, kept in own.items()}
    for wanted in fetching.fetches:
        found[wanted.module][rows[wanted.device]] = True
    return found


class _Carrier:
    """Passes bytes on from node to node, one copy after another, and writes every hop down."""

    def __init__(self, problem: Problem, post: Post, start_s: float) -> None:
        self._problem, self.post, self.now_s = problem, post, start_s
        self.entries: list[LedgerEntry] = []
        self._edges = {node: cell.edge.name for cell in problem.cells for node in (*cell.names, cell.edge.name)}

    def carry(self, wanted: Fetch, path: tuple[str, ...], data: bytes) -> bytes:
        """Return the bytes as they arrive at the path's end."""
        bits = int(self._problem.payload_bit[self._problem.modules.index(wanted.module)])
        received = data
        for one, other in pairwise(path):
            link, _ = hop_cost(self._problem, one, other)
            cell = self._edges[other if one == CLOUD else one]
            seconds, received = link.seconds(bits), cross(received)
            what = (wanted.module, bits, bytes_to_bit(len(received)), self.now_s, seconds, link.joules(bits))
            self.entries.append(LedgerEntry(self.post.number, "relay", cell, one, other, *what))
            self.now_s += seconds
        check_arrived(wanted.module, data, received)
        return received
