"""What it costs to tell devices of a new plan while training goes on.

The cloud sends each cell its part over the backhaul; the edge broadcasts it at its full power over its whole downlink
band, as fast as its slowest listener can follow. Cells go on as soon as they have it. The published arithmetic moves
nothing down at a cost beyond the backhaul.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from hffm_opt.plan.costs import LinkCost, backhaul_cost, radio_cost
from hffm_opt.plan.model import Plan
from hffm_opt.problem.model import Cell, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.serial import dump_json
from hffm_opt.units import bytes_to_bit


@dataclass(frozen=True)
class Notice:
    """What one cell is told: over the backhaul, and by the edge to its slowest listener (none where nobody trains)."""

    cell: str
    bits: int
    backhaul: LinkCost
    listener: str | None
    downlink: LinkCost | None

    @property
    def seconds(self) -> float:
        """When the cell has it, from the sending on."""
        return self.backhaul.seconds(self.bits) + (self.downlink.seconds(self.bits) if self.downlink else 0.0)

    @property
    def joules(self) -> float:
        """What it takes."""
        return self.backhaul.joules(self.bits) + (self.downlink.joules(self.bits) if self.downlink else 0.0)


def notice_bits(plan: Plan) -> tuple[int, ...]:
    """Return how many bits tell each cell its part of a plan: its compressed JSON, beside the circulation."""
    circulation = "".join(dump_json(item) for item in plan.circulation)
    texts = (dump_json(cell) + circulation for cell in plan.cells)
    return tuple(int(bytes_to_bit(len(zlib.compress(text.encode(), 9)))) for text in texts)


def notices(problem: Problem, bits: tuple[int, ...]) -> tuple[Notice, ...]:
    """Return what every cell is told, given the bits for each.

    Args:
        problem: the network; its owners are those who listen.
        bits: as :func:`notice_bits` counts them, [cells].
    """
    return tuple(_notice(problem, cell, count) for cell, count in zip(problem.cells, bits, strict=True))


def _notice(problem: Problem, cell: Cell, bits: int) -> Notice:
    listens = problem.cell_owners(cell).any(axis=1)
    backhaul = backhaul_cost(problem, cell)
    if problem.published or not listens.any():
        return Notice(cell.edge.name, bits, backhaul, None, None)
    slowest = int(np.argmin(np.where(listens, cell.downlink_gain, np.inf)))
    edge = cell.edge
    downlink = radio_cost(problem, cell, cell.size, slowest, edge.downlink_bandwidth_hz, edge.downlink_power_w)
    return Notice(cell.edge.name, bits, backhaul, cell.names[slowest], downlink)


def notice_cost(problem: Problem, bits: tuple[int, ...]) -> tuple[Floats, float]:
    """Return the seconds of each cell [cells] and the joules of all, to tell everybody."""
    told = notices(problem, bits)
    return np.array([each.seconds for each in told]), float(sum(each.joules for each in told))
