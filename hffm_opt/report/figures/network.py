"""Maps: the whole network from above, and every cell by itself with its relay trees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.patches import FancyArrowPatch, Polygon
from scipy.spatial import ConvexHull, QhullError

from hffm_opt.problem.model import Cell, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.report.flows import Flow, KindFlows
from hffm_opt.report.svg import INKS, Drawing, draw, shortened
from hffm_opt.scenario.model import CLOUD

EVENT_INK = {
    "gather": "d2d",
    "scatter": "d2d",
    "uplink": "uplink",
    "downlink": "downlink",
    "direct-up": "cloud",
    "direct-down": "cloud",
}
_MOST_LABELS = 12  # devices of a cell that are labelled one by one
_LONGEST_LABEL = 14
_MARGIN = 0.11
_SCALE_ROOM = 0.05  # of the height, for the scale bar
_MAP_IN = 6.4


def network_map(problem: Problem, flows: KindFlows, identity: str) -> Drawing:
    """Draw all cells at their places with what they send upwards in one kind of round."""
    label = (
        f"Map of the network: {len(problem.scenario.devices)} devices around {len(problem.cells)} edge servers, "
        f"with the upward transmissions of this kind of round."
    )
    points = np.concatenate([_places(problem, cell) for cell in problem.cells])
    spread = np.maximum(np.ptp(points, axis=0), 50.0)
    width_in, height_in = np.maximum(_MAP_IN * spread / spread.max(), 0.4 * _MAP_IN).tolist()

    def paint(figure: Any) -> None:
        axes = _bare_axes(figure, points, width_in / height_in)
        widest = max((f.bits for cell in flows.cells for f in cell), default=0.0)
        for cell, cell_flows, head in zip(problem.cells, flows.cells, flows.heads, strict=True):
            _outline(axes, _places(problem, cell))
            upward = [f for f in cell_flows if f.upward]
            _nodes(axes, problem, cell, upward, head, flows.meets, 4.2)
            _arrows(axes, problem, cell, upward, widest, bend=0.0, shrink=2.4)
        _edge_labels(axes, problem)
        _scale_bar(axes)

    return draw(identity, label, width_in, height_in, paint)


def cell_map(
    problem: Problem, cell: Cell, flows: Sequence[Flow], head: str | None, meets: bool, identity: str
) -> Drawing:
    """Draw one cell with all that it sends up (solid) and back (dashed) in one kind of round."""
    points = _places(problem, cell)
    up = sum(f.upward for f in flows)
    label = (
        f"Cell {cell.edge.name}: {cell.size} device{'s' * (cell.size > 1)}, {up} transmissions up and "
        f"{len(flows) - up} back{f', head {head}' if head else ''}."
    )
    side = 2.1 if cell.size <= _MOST_LABELS else 5.0

    def paint(figure: Any) -> None:
        axes = _bare_axes(figure, points, 1.0)
        widest = max((f.bits for f in flows), default=0.0)
        _nodes(axes, problem, cell, flows, head, meets, 6.0)
        _arrows(axes, problem, cell, flows, widest, bend=0.16, shrink=5.0)
        _device_labels(axes, problem, cell, head)
        _scale_bar(axes)

    return draw(identity, label, side, side, paint)


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


def _places(problem: Problem, cell: Cell) -> Floats:
    devices = [problem.scenario.devices[i] for i in cell.members]
    return np.array([*((d.x_m, d.y_m) for d in devices), (cell.edge.x_m, cell.edge.y_m)])


def _bare_axes(figure: Any, points: Floats, shape: float) -> Any:
    """Return frameless axes around all points; ``shape`` is width / height, metres are equally long both ways."""
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    centre = (points.max(axis=0) + points.min(axis=0)) / 2
    spread = np.maximum(np.ptp(points, axis=0), 50.0)
    half = max(spread[0] / shape, spread[1]) / 2 / (1 - 2 * _MARGIN)
    axes.set_xlim(centre[0] - half * shape, centre[0] + half * shape)
    low = centre[1] - half * (1 + 2 * _SCALE_ROOM)
    axes.set_ylim(low, low + 2 * half)
    return axes


def _outline(axes: Any, points: Floats) -> None:
    """Shade the convex hull of a cell, or a line where its nodes have none."""
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):
        corners = points
    style: dict[str, Any] = {"facecolor": INKS["wash"], "edgecolor": INKS["wash"], "linewidth": 9, "joinstyle": "round"}
    axes.add_patch(Polygon(corners, zorder=1, clip_on=False, **style))


def _nodes(
    axes: Any, problem: Problem, cell: Cell, flows: Sequence[Flow], head: str | None, meets: bool, size: float
) -> None:
    """Mark devices (dots), the head (diamond), the edge (square), and rings around what talks to the cloud."""
    *devices, edge = _places(problem, cell)
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


def _arrows(
    axes: Any, problem: Problem, cell: Cell, flows: Sequence[Flow], widest: float, bend: float, shrink: float
) -> None:
    place = dict(zip((*cell.names, cell.edge.name), _places(problem, cell), strict=True))
    for flow in flows:
        if CLOUD in (flow.source, flow.target) or flow.bits <= 0:
            continue
        ink = INKS[EVENT_INK[flow.event]]
        width = 0.7 + 1.6 * flow.bits / widest
        axes.add_patch(
            FancyArrowPatch(
                place[flow.source],
                place[flow.target],
                arrowstyle="-|>,head_length=3.2,head_width=1.8",
                connectionstyle=f"arc3,rad={bend}",
                shrinkA=shrink,
                shrinkB=shrink,
                linewidth=width,
                linestyle="-" if flow.upward else (0, (2.4, 1.6)),
                edgecolor=ink,
                facecolor=ink,
                zorder=3 if flow.upward else 2,
                clip_on=False,
            )
        )


def _edge_labels(axes: Any, problem: Problem) -> None:
    """Write the edges' names, away from their devices where there is room."""
    places = [_places(problem, cell) for cell in problem.cells]
    anchors = np.array([points[-1] for points in places])
    away = anchors - np.array([points[:-1].mean(axis=0) for points in places])
    texts = [shortened(cell.edge.name, _LONGEST_LABEL) for cell in problem.cells]
    _write(axes, texts, anchors, away, np.concatenate(places), 9.5)


def _device_labels(axes: Any, problem: Problem, cell: Cell, head: str | None) -> None:
    """Write device names outwards from the middle of the cell; in a crowded cell the head's alone."""
    points = _places(problem, cell)
    _, names = short_names(cell)
    shown = [i for i, name in enumerate(cell.names) if cell.size <= _MOST_LABELS or name == head]
    texts = [shortened(names[cell.names[i]], _LONGEST_LABEL) for i in shown]
    _write(axes, texts, points[shown], points[shown] - points.mean(axis=0), points, 8.5)


def _write(axes: Any, texts: Sequence[str], anchors: Floats, away: Floats, nodes: Floats, size: float) -> None:
    """Write texts beside their anchors, each in the first direction from ``away`` onwards that is free enough."""
    width, height = axes.figure.get_size_inches() * 72
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    scale = np.array([width / (right - left), height / (high - low)])
    origin = np.array([left, low])
    taken = [(node - origin) * scale for node in nodes]
    for text, anchor, outwards in zip(texts, anchors, away, strict=True):
        half = size * np.array([0.31 * len(text), 0.5])
        here = (anchor - origin) * scale
        start = math.atan2(outwards[1], outwards[0])
        best, clear = here, -1.0
        for turn in (0, 1, -1, 2, -2, 3, -3, 4):
            angle = start + turn * math.pi / 4
            step = np.array([math.cos(angle), math.sin(angle)])
            spot = here + step * (1.1 * size + np.abs(step) @ np.array([half[0] - 4.5, 0.0]).clip(0))
            inside = bool(np.all(spot >= half) and np.all(spot <= (width, height) - half))
            # Distance to whatever stands nearest, measured from the box of the text.
            free = min(float(np.hypot(*np.maximum(np.abs(spot - other) - half, 0.0))) for other in taken)
            if inside and free > clear:
                best, clear = spot, free
            if clear >= 4.0:
                break
        taken += [best + half * (side, 0.0) for side in (-1, 0, 1)]
        place = best / scale + origin
        axes.text(*place, text, ha="center", va="center", size=size, zorder=6)


def _scale_bar(axes: Any) -> None:
    """Draw a bar of a round number of metres, about a fifth of the width, in the lower left corner."""
    left, right = axes.get_xlim()
    target = (right - left) / 5
    step = 10 ** math.floor(math.log10(target))
    length = max(step * f for f in (1, 2, 5) if step * f <= target)
    style = {"transform": axes.get_xaxis_transform(), "clip_on": False}
    start = left + (right - left) * 0.02
    axes.plot([start, start + length], [0.025, 0.025], color=INKS["muted"], linewidth=1.4, **style)
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    axes.text(start, 0.04, text, ha="left", va="bottom", color=INKS["muted"], transform=axes.get_xaxis_transform())
