"""What the plan gives to links and processors: the cell that takes longest in detail, all cells in a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hffm_opt.plan.nominal import power_cap_w
from hffm_opt.problem.model import Cell
from hffm_opt.report.flows import Flow, KindFlows
from hffm_opt.report.in_force import InForce
from hffm_opt.report.run import Run

Planned = InForce | Run


@dataclass(frozen=True)
class LinkShare:
    """The bandwidth of a link as a share of its band in the cell, and its power as a share of the node's limit."""

    source: str
    target: str
    event: str
    band: str
    bandwidth_hz: float
    bandwidth_share: float
    power_w: float
    power_share: float


@dataclass(frozen=True)
class Spread:
    """Least, median and largest of some values."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least one value."""
        return cls(min(values), float(np.median(values)), max(values))


def link_shares(planned: Planned, cell: Cell, flows: Sequence[Flow]) -> tuple[LinkShare, ...]:
    """Return what each radio link of a cell gets, in the order of the events."""
    return tuple(_share(planned, cell, flow) for flow in flows if flow.arc.bandwidth_hz is not None)


def _share(planned: Planned, cell: Cell, flow: Flow) -> LinkShare:
    assert flow.arc.bandwidth_hz is not None and flow.arc.power_w is not None
    budget = getattr(cell.edge, f"{flow.band}_bandwidth_hz")
    cap = power_cap_w(planned.problem, cell, flow.source, flow.target)
    return LinkShare(
        source=flow.source,
        target=flow.target,
        event=flow.event,
        band=flow.band,
        bandwidth_hz=flow.arc.bandwidth_hz,
        bandwidth_share=flow.arc.bandwidth_hz / budget,
        power_w=flow.arc.power_w,
        power_share=flow.arc.power_w / cap,
    )


@dataclass(frozen=True)
class BandSummary:
    """Spread over all cells of what the links of a band get in one kind of round."""

    band: str
    links: int
    bandwidth_hz: Spread
    power_share: Spread


def band_summaries(planned: Planned, flows: KindFlows) -> tuple[BandSummary, ...]:
    """Return the summary of each band that is used."""
    shares = [
        share
        for cell, cell_flows in zip(planned.problem.cells, flows.cells, strict=True)
        for share in link_shares(planned, cell, cell_flows)
    ]
    found = []
    for band in ("d2d", "uplink", "downlink"):
        mine = [share for share in shares if share.band == band]
        if mine:
            widths = Spread.of([share.bandwidth_hz for share in mine])
            found.append(BandSummary(band, len(mine), widths, Spread.of([share.power_share for share in mine])))
    return tuple(found)


def cpu_spread(planned: Planned, kind: int) -> Spread:
    """Return the spread over devices of the CPU frequency as a share of the highest."""
    shares = []
    for cell, cell_plan in zip(planned.problem.cells, planned.plan.cells, strict=True):
        given = cell_plan.rounds[kind].cpu_hz
        for row, name in zip(cell.members, cell.names, strict=True):
            shares.append(given[name] / float(planned.problem.cpu_max_hz[row]))
    return Spread.of(shares)


def slowest_cell(planned: Planned) -> Cell:
    """Return the cell that is longest at work per round."""
    busy = planned.evaluation.breakdown.busy_by_cell_s
    return max(planned.problem.cells, key=lambda cell: busy[cell.edge.name])
