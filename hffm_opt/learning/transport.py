"""Messages: what moves between nodes, byte by byte, and how a round's statistics travel along trees.

A message holds, for each module, one serialised copy or several. Where a node sums a module it decodes what arrives,
adds its own, and sends one copy on; elsewhere it passes the bytes on as they came, beside its own copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hffm_opt.errors import InputError
from hffm_opt.learning.aggregation import Statistic, total
from hffm_opt.learning.clock import Hop, charge, inward, outward
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.payload import State, deserialise, serialise, sha256
from hffm_opt.plan.trees import IndexedTree
from hffm_opt.problem.model import Bools, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.trace.ledger import Event, LedgerEntry
from hffm_opt.units import bytes_to_bit

Message = Mapping[str, tuple[bytes, ...]]
Statistics = Mapping[str, Statistic]


def cross(data: bytes) -> bytes:
    """Return what comes out of a link that bytes are sent into; simulated links change nothing."""
    return data


def check_arrived(module: str, sent: bytes, received: bytes) -> None:
    """Raise :class:`InputError` where the SHA-256 of what came over the last hop is not that of the bytes sent."""
    if sha256(received) != sha256(sent):
        raise InputError.one(module, "the copy did not arrive as it was sent", "send it again")


@dataclass
class Post:
    """Encodes, sends, charges and writes down the messages of one round."""

    problem: Problem
    modules: Mapping[str, Module]
    number: int
    entries: list[LedgerEntry] = field(default_factory=list)

    def encode(self, module: str, statistic: Statistic) -> bytes:
        """Return the bytes of a statistic.

        Raises:
            InputError: payloads are said to be counted, but this module weighs something else.
        """
        data = serialise(statistic.mean(), statistic.weight)
        if self.problem.scenario.learning.payload == "counted":
            expected = int(self.problem.payload_bit[self.problem.modules.index(module)])
            if bytes_to_bit(len(data)) != expected:
                raise InputError.one(
                    f"modules.{module}.payload_bit",
                    f"{expected} bit are planned with, {bytes_to_bit(len(data))} bit are sent",
                    "write the model card anew from this backbone, or set learning.payload: assumed",
                )
        return data

    def decode(self, module: str, data: bytes) -> tuple[State, float]:
        """Return the mean and the weight that were encoded."""
        return deserialise(data, self.modules[module].shapes)

    def send(self, event: Event, cell: str, hop: Hop, message: Message, start_s: float) -> float:
        """Send a message, write it down and return its seconds; an empty one takes none and leaves no trace."""
        if not message:
            return 0.0
        cost = charge(self.problem, hop.link, {module: len(copies) for module, copies in message.items()})
        sent_bits = bytes_to_bit(sum(len(data) for copies in message.values() for data in copies))
        what = (self.number, event, cell, hop.source, hop.target, " ".join(message))
        self.entries.append(LedgerEntry(*what, cost.bits, sent_bits, start_s, cost.seconds, cost.joules))
        return cost.seconds


@dataclass(frozen=True, eq=False)
class Route:
    """A tree of a cell with its links.

    ``names`` are the cell's devices, ``hops`` the link of each node's arc; inward, ``sums`` [n + 2, M] says which nodes
    send one sum of a module.
    """

    cell: str
    names: tuple[str, ...]
    tree: IndexedTree
    hops: Mapping[int, Hop]
    sums: Bools


def gather(
    post: Post, event: Event, route: Route, own: Mapping[int, Statistics], ready_s: Floats
) -> tuple[dict[str, Statistic], float]:
    """Carry the devices' statistics to a tree's root.

    Args:
        post: sends the messages.
        event: what the ledger calls it.
        route: the tree and its links.
        own: per device node, the statistics of the modules that it contributes.
        ready_s: [n] when each device can send.

    Returns:
        The statistics' sums at the root, and the clock when they are complete and all devices are ready.
    """
    tree = route.tree
    inbox: dict[int, dict[int, Message]] = {}

    def arrived(node: int, module: str) -> list[bytes]:
        messages = _by_name(route, inbox.get(node, {}))
        return [data for message in messages for data in message.get(module, ())]

    def copies_at(node: int, module: str) -> tuple[bytes, ...]:
        mine = own.get(node, {})
        return (*([post.encode(module, mine[module])] if module in mine else []), *arrived(node, module))

    def sum_at(node: int, module: str) -> Statistic | None:
        mine = own.get(node, {})
        parts = [mine[module]] if module in mine else []
        parts += [Statistic.of(*post.decode(module, data)) for data in arrived(node, module)]
        return total(parts) if parts else None

    def transmit(node: int, start_s: float) -> float:
        message: dict[str, tuple[bytes, ...]] = {}
        for module, adds_up in zip(post.problem.modules, route.sums[node], strict=True):
            whole = sum_at(node, module) if adds_up else None
            copies = copies_at(node, module) if whole is None else (post.encode(module, whole),)
            if copies:
                message[module] = copies
        inbox.setdefault(tree.parent[node], {})[node] = message
        return post.send(event, route.cell, route.hops[node], message, start_s)

    end_s = inward(tree, ready_s, transmit)
    sums = {module: sum_at(tree.root, module) for module in post.problem.modules}
    return {module: whole for module, whole in sums.items() if whole is not None}, end_s


def _by_name(route: Route, messages: Mapping[int, Message]) -> list[Message]:
    """Return messages in the order of their senders' names: a sum's bits must not depend on who is listed first."""
    return [messages[node] for node in sorted(messages, key=lambda node: route.names[node])]


def scatter(
    post: Post, event: Event, route: Route, result: Mapping[str, bytes], owners: Bools, start_s: float
) -> tuple[dict[int, dict[str, bytes]], float]:
    """Carry results from a tree's root to the owners of each module.

    Args:
        post: sends the messages.
        event: what the ledger calls it.
        route: the tree (pointing outward) and its links.
        result: module -> bytes at the root.
        owners: [n, M] who is to get which module.
        start_s: when the root has the results.

    Returns:
        What reached each device of the modules that it owns, and the clock at the end.
    """
    tree = route.tree
    held: dict[int, Message] = {tree.root: {module: (data,) for module, data in result.items()}}

    def transmit(node: int, at_s: float) -> float:
        below = owners[tree.members[node]].any(axis=0)
        source = held[tree.parent[node]]
        message = {post.problem.modules[m]: source[post.problem.modules[m]] for m in np.flatnonzero(below)}
        held[node] = message
        return post.send(event, route.cell, route.hops[node], message, at_s)

    end_s = outward(tree, start_s, transmit)
    received = {
        node: {
            module: held[node][module][0]
            for module, owned in zip(post.problem.modules, owners[node], strict=True)
            if owned
        }
        for node in range(len(route.names))
        if owners[node].any()
    }
    return received, end_s
