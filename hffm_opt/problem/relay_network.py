"""Every link over which a module can be copied, as arrays: devices, edge servers and the cloud as nodes.

A copy crosses its path in packets, each forwarded as it arrives. So a link is described by the airtime and the energy
that a bit takes, by its fixed delay, and by the resource whose time it takes: a band of a cell where it is shared, the
link itself where it has a band of its own, a backhaul in one direction, a direct link to the cloud.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hffm_opt.problem.model import Cell, Ints, Problem
from hffm_opt.problem.radio import Floats, rate_bit_per_s
from hffm_opt.scenario.model import CLOUD

LEAST_RATE_BIT_PER_S = 1.0
"""Slower links are left out: no deadline that a scenario admits would be kept over them."""


class Link(NamedTuple):
    """A directed link by the names of its ends: resource, seconds and joules per bit, and what its delay costs."""

    source: str
    target: str
    resource: str
    s_per_bit: float
    j_per_bit: float
    delay_s: float = 0.0
    delay_j: float = 0.0


@dataclass(frozen=True, eq=False)
class RelayNetwork:
    """N nodes and A directed links: ``source``, ``target``, ``resource`` [A] are indices, the figures floats [A].

    ``cell`` [N] is the cell of a device or an edge server, -1 for the cloud and for edge servers without devices.
    """

    nodes: tuple[str, ...]
    cell: Ints
    resources: tuple[str, ...]
    source: Ints
    target: Ints
    resource: Ints
    s_per_bit: Floats
    j_per_bit: Floats
    delay_s: Floats
    delay_j: Floats

    @cached_property
    def index(self) -> dict[str, int]:
        """Node name to index."""
        return {name: i for i, name in enumerate(self.nodes)}

    @cached_property
    def arc(self) -> dict[tuple[int, int], int]:
        """(source, target) to the link's index."""
        pairs = zip(self.source.tolist(), self.target.tolist(), strict=True)
        return {pair: a for a, pair in enumerate(pairs)}

    @property
    def cloud(self) -> int:
        """The cloud's index."""
        return len(self.nodes) - 1


def relay_network(problem: Problem, without: Collection[tuple[str, str]] = ()) -> RelayNetwork:
    """Return the links of a problem under full power and, while they send, with the whole of their band.

    Args:
        problem: the compiled scenario.
        without: (source, target) of links that have failed.

    Example:
        >>> from hffm_opt.problem.build import build_problem
        >>> from hffm_opt.scenario.read import load_scenario
        >>> network = relay_network(build_problem(load_scenario("tiny")))
        >>> len(network.nodes), len(network.source)
        (9, 40)
    """
    scenario = problem.scenario
    nodes = (*(d.name for d in scenario.devices), *(e.name for e in scenario.edges), CLOUD)
    index = {name: i for i, name in enumerate(nodes)}
    cell = np.full(len(nodes), -1, dtype=np.int64)
    for i, part in enumerate(problem.cells):
        cell[[index[name] for name in (*part.names, part.edge.name)]] = i
    lost = set(without)
    links = [link for link in _links(problem) if (link.source, link.target) not in lost]
    resources = tuple(dict.fromkeys(link.resource for link in links))
    number = {name: i for i, name in enumerate(resources)}

    def floats(column: str) -> Floats:
        return np.array([getattr(link, column) for link in links], dtype=float)

    return RelayNetwork(
        nodes=nodes,
        cell=cell,
        resources=resources,
        source=np.array([index[link.source] for link in links], dtype=np.int64),
        target=np.array([index[link.target] for link in links], dtype=np.int64),
        resource=np.array([number[link.resource] for link in links], dtype=np.int64),
        s_per_bit=floats("s_per_bit"),
        j_per_bit=floats("j_per_bit"),
        delay_s=floats("delay_s"),
        delay_j=floats("delay_j"),
    )


def _links(problem: Problem) -> Iterator[Link]:
    for cell in problem.cells:
        yield from _radio_links(problem, cell)
        edge, name = cell.edge, cell.edge.name
        s_per_bit = 1 / edge.backhaul_rate_bit_per_s
        held_j = edge.backhaul_delay_s * edge.backhaul_power_w if problem.published else 0.0
        costs = (s_per_bit, edge.backhaul_power_w * s_per_bit, edge.backhaul_delay_s, held_j)
        yield Link(name, CLOUD, f"{name} backhaul up", *costs)
        yield Link(CLOUD, name, f"{name} backhaul down", *costs)
    direct = problem.scenario.cloud.direct
    if direct is not None:
        s_per_bit = 1 / direct.rate_bit_per_s
        held_j = direct.delay_s * direct.power_w if problem.published else 0.0
        costs = (s_per_bit, direct.power_w * s_per_bit, direct.delay_s, held_j)
        for device in problem.scenario.devices:
            yield Link(device.name, CLOUD, f"{device.name} direct up", *costs)
            yield Link(CLOUD, device.name, f"{device.name} direct down", *costs)


def _radio_links(problem: Problem, cell: Cell) -> Iterator[Link]:
    """Yield the links of a cell that reach at least :data:`LEAST_RATE_BIT_PER_S`."""
    published, edge = problem.scenario.physics.reference, cell.edge
    up_w, d2d_w = problem.uplink_power_w[cell.members], problem.d2d_power_w[cell.members]

    def link(band: str, source: str, target: str, gain: float, power_w: float, charged_w: float) -> Iterator[Link]:
        width = float(getattr(edge, f"{band}_bandwidth_hz"))
        rate = float(rate_bit_per_s(width, power_w, gain, problem.noise_w_per_hz))
        if rate >= LEAST_RATE_BIT_PER_S:
            shared = getattr(problem.scenario.physics, f"{band}_sharing") == "shared"
            resource = f"{edge.name} {band}" if shared else f"{source} -> {target}"
            yield Link(source, target, resource, 1 / rate, charged_w / rate)

    for i, name in enumerate(cell.names):
        charged_w = published.uplink_charged_power_w if published else float(up_w[i])
        yield from link("uplink", name, edge.name, cell.uplink_gain[i], float(up_w[i]), charged_w)
        yield from link(
            "downlink", edge.name, name, cell.downlink_gain[i], edge.downlink_power_w, edge.downlink_power_w
        )
        charged_w = published.d2d_charged_power_w if published else float(d2d_w[i])
        for j in np.flatnonzero(cell.d2d_gain[i] > 0).tolist():
            yield from link("d2d", name, cell.names[j], float(cell.d2d_gain[i, j]), float(d2d_w[i]), charged_w)
