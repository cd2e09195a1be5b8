"""Arcs under the nominal allocation: full power, full CPU speed, and a band's equal share (or the link's own band)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from hffm_opt.plan.model import Arc, Tree
from hffm_opt.problem.model import Cell, Problem
from hffm_opt.scenario.model import CLOUD


def band_of(cell: Cell, source: str, target: str) -> str:
    """Return the band of a radio link of a cell: ``uplink``, ``downlink`` or ``d2d``."""
    if target == cell.edge.name:
        return "uplink"
    return "downlink" if source == cell.edge.name else "d2d"


def gain_of(cell: Cell, source: str, target: str) -> float:
    """Return the power gain of a radio link of a cell."""
    if target == cell.edge.name:
        return float(cell.uplink_gain[cell.names.index(source)])
    if source == cell.edge.name:
        return float(cell.downlink_gain[cell.names.index(target)])
    return float(cell.d2d_gain[cell.names.index(source), cell.names.index(target)])


def power_cap_w(problem: Problem, cell: Cell, source: str, target: str) -> float:
    """Return the power limit of a radio link in W."""
    if source == cell.edge.name:
        return cell.edge.downlink_power_w
    caps = problem.uplink_power_w if target == cell.edge.name else problem.d2d_power_w
    return float(caps[cell.members[cell.names.index(source)]])


def nominal_tree(
    problem: Problem, cell: Cell, links: Sequence[tuple[str, str]], relay: Literal["sum", "forward"] = "sum"
) -> Tree:
    """Return a tree of (source, target) links at full power; a shared band is split equally over its links.

    Links to and from the cloud carry no allocation: theirs is given.
    """
    bands = [band_of(cell, source, target) for source, target in links]
    arcs = []
    for band, (source, target) in zip(bands, links, strict=True):
        if CLOUD in (source, target):
            arcs.append(Arc(source=source, target=target))
            continue
        shared = getattr(problem.scenario.physics, f"{band}_sharing") == "shared"
        width = getattr(cell.edge, f"{band}_bandwidth_hz") / (bands.count(band) if shared else 1)
        power = power_cap_w(problem, cell, source, target)
        arcs.append(Arc(source=source, target=target, bandwidth_hz=width, power_w=power))
    return Tree(relay=relay, arcs=tuple(arcs))


def full_speed(problem: Problem, cell: Cell) -> dict[str, float]:
    """Return every device's highest CPU frequency in Hz."""
    return dict(zip(cell.names, problem.cpu_max_hz[cell.members].tolist(), strict=True))
