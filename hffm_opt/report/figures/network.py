"""Maps: the whole network from above, and every cell by itself with its relay trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hffm_opt.problem.model import Cell, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.report.figures.arrows import arrows, moves_of
from hffm_opt.report.figures.places import bare_axes, map_size, outline, places, scale_bar, write
from hffm_opt.report.flows import Flow, KindFlows
from hffm_opt.report.groups import ModuleGroup
from hffm_opt.report.legend import group_keys
from hffm_opt.report.svg import INKS, Drawing, draw, shortened
from hffm_opt.scenario.model import CLOUD

_MOST_LABELS = 12  # devices of a cell that are labelled one by one
LONGEST_LABEL = 14
MAP_IN = 6.4


def network_map(problem: Problem, flows: KindFlows, groups: Sequence[ModuleGroup], identity: str) -> Drawing:
    """Draw all cells at their places with what they send upwards in one kind of round."""
    label = (
        f"Map of the network: {len(problem.scenario.devices)} devices around {len(problem.cells)} edge servers, "
        f"with the upward transmissions of this kind of round."
    )
    points = np.concatenate([places(problem, cell) for cell in problem.cells])
    width_in, height_in = map_size(points, MAP_IN)

    def paint(figure: Any) -> None:
        axes = bare_axes(figure, points, width_in / height_in)
        for cell, cell_flows, head in zip(problem.cells, flows.cells, flows.heads, strict=True):
            outline(axes, places(problem, cell))
            upward = [f for f in cell_flows if f.upward]
            nodes(axes, problem, cell, upward, head, flows.meets, 4.2)
        upward = [flow for cell_flows in flows.cells for flow in cell_flows if flow.upward]
        arrows(axes, places_by_name(problem), moves_of(upward, groups), bend=0.0, shrink=2.4)
        edge_labels(axes, problem)
        scale_bar(axes)

    return draw(identity, label, width_in, height_in, paint, group_keys(groups))


def cell_map(
    problem: Problem,
    cell: Cell,
    flows: Sequence[Flow],
    head: str | None,
    meets: bool,
    groups: Sequence[ModuleGroup],
    identity: str,
) -> Drawing:
    """Draw one cell with all that it sends up (solid) and back (dashed) in one kind of round."""
    points = places(problem, cell)
    up = sum(f.upward for f in flows)
    label = (
        f"Cell {cell.edge.name}: {cell.size} device{'s' * (cell.size > 1)}, {up} transmissions up and "
        f"{len(flows) - up} back{f', head {head}' if head else ''}."
    )
    side = 2.1 if cell.size <= _MOST_LABELS else 5.0

    def paint(figure: Any) -> None:
        axes = bare_axes(figure, points, 1.0)
        nodes(axes, problem, cell, flows, head, meets, 6.0)
        arrows(axes, places_by_name(problem), moves_of(flows, groups), bend=0.16, shrink=5.0)
        _device_labels(axes, problem, cell, head)
        scale_bar(axes)

    return draw(identity, label, side, side, paint, group_keys(groups))


def short_names(cell: Cell) -> tuple[str, dict[str, str]]:
    """Return what the names of a cell's devices begin with in common, and what is left of each.

    >>> from types import SimpleNamespace
    >>> short_names(SimpleNamespace(names=("device-0-1", "device-0-2")))
    ('device-0-', {'device-0-1': '1', 'device-0-2': '2'})
    """
    first, last = min(cell.names), max(cell.names)
    common = 0
    while common < min(len(first), len(last)) and first[common] == last[common]:
        common += 1
    while common and first[common - 1] not in "-_.":
        common -= 1
    if len(cell.names) == 1 or any(len(name) == common for name in cell.names):
        common = 0
    return first[:common], {name: name[common:] for name in cell.names}


def places_by_name(problem: Problem) -> dict[str, Floats]:
    """Return the place of every device and edge server."""
    return {
        name: place
        for cell in problem.cells
        for name, place in zip((*cell.names, cell.edge.name), places(problem, cell), strict=True)
    }


def nodes(
    axes: Any, problem: Problem, cell: Cell, flows: Sequence[Flow], head: str | None, meets: bool, size: float
) -> None:
    """Mark devices (dots), the head (diamond), the edge (square), and rings around what talks to the cloud."""
    *devices, edge = places(problem, cell)
    style = {"linestyle": "none", "markeredgecolor": INKS["paper"], "markeredgewidth": 0.7, "clip_on": False}
    direct = {f.source for f in flows if f.target == CLOUD}
    ring = {"markerfacecolor": "none", "markeredgecolor": INKS["cloud"], "markeredgewidth": 1.3, "clip_on": False}
    for name, (x, y) in zip(cell.names, devices, strict=True):
        marker = {"marker": "D", "markersize": size * 1.05} if name == head else {"marker": "o", "markersize": size}
        colour = INKS["d2d"] if name == head else INKS["ink"]
        axes.plot(x, y, zorder=5, markerfacecolor=colour, **marker, **style)
        if name in direct:
            axes.plot(x, y, "o", zorder=4, markersize=size * 1.9, **ring)
    axes.plot(*edge, zorder=5, marker="s", markersize=size * 1.35, markerfacecolor=INKS["uplink"], **style)
    if meets and not direct:
        axes.plot(*edge, "o", zorder=4, markersize=size * 2.6, **ring)


def edge_labels(axes: Any, problem: Problem) -> None:
    """Write the edges' names, away from their devices where there is room."""
    around = [places(problem, cell) for cell in problem.cells]
    anchors = np.array([points[-1] for points in around])
    away = anchors - np.array([points[:-1].mean(axis=0) for points in around])
    texts = [shortened(cell.edge.name, LONGEST_LABEL) for cell in problem.cells]
    write(axes, texts, anchors, away, np.concatenate(around), 9.5)


def _device_labels(axes: Any, problem: Problem, cell: Cell, head: str | None) -> None:
    """Write device names outwards from the middle of the cell; in a crowded cell the head's alone."""
    points = places(problem, cell)
    _, names = short_names(cell)
    shown = [i for i, name in enumerate(cell.names) if cell.size <= _MOST_LABELS or name == head]
    texts = [shortened(names[cell.names[i]], LONGEST_LABEL) for i in shown]
    write(axes, texts, points[shown], points[shown] - points.mean(axis=0), points, 8.5)
