"""Places on a map: axes in metres, outlines of cells, texts that keep clear of marks, a scale bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Polygon
from scipy.spatial import ConvexHull, QhullError

from hffm_opt.problem.model import Cell, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.report.svg import INKS
from hffm_opt.scenario.model import CLOUD

_MARGIN = 0.11
_SCALE_ROOM = 0.05  # of the height, for the scale bar
_LEAST_M = 50.0  # what a map is wide at least
_ABOVE = 0.16  # of the map's height: how far the cloud stands above the highest node


def places(problem: Problem, cell: Cell) -> Floats:
    """Return the places of a cell's devices, and last of its edge server, in m, [n + 1, 2]."""
    devices = [problem.scenario.devices[i] for i in cell.members]
    return np.array([*((d.x_m, d.y_m) for d in devices), (cell.edge.x_m, cell.edge.y_m)])


def above(points: Floats) -> Floats:
    """Return the place of the cloud: in the middle, above all nodes."""
    height = max(float(np.ptp(points[:, 1])), 0.5 * float(np.ptp(points[:, 0])), _LEAST_M)
    middle = (points[:, 0].min() + points[:, 0].max()) / 2
    return np.array([middle, points[:, 1].max() + _ABOVE * height])


def cloud_mark(axes: Any, place: Floats) -> None:
    """Mark the cloud with a ring and its name."""
    style = {"marker": "o", "linestyle": "none", "markersize": 9, "markerfacecolor": INKS["paper"], "clip_on": False}
    axes.plot(*place, markeredgecolor=INKS["cloud"], markeredgewidth=1.8, zorder=5, **style)
    axes.annotate(CLOUD, place, (8, 0), textcoords="offset points", va="center", size=9.5)


def limits(points: Floats, shape: float) -> tuple[float, float, float, float]:
    """Return the left, right, lower and upper ends of a map around all points; ``shape`` is width / height."""
    centre = (points.max(axis=0) + points.min(axis=0)) / 2
    spread = np.maximum(np.ptp(points, axis=0), _LEAST_M)
    half = float(max(spread[0] / shape, spread[1]) / 2 / (1 - 2 * _MARGIN))
    low = float(centre[1]) - half * (1 + 2 * _SCALE_ROOM)
    return float(centre[0]) - half * shape, float(centre[0]) + half * shape, low, low + 2 * half


def map_size(points: Floats, longest_in: float) -> tuple[float, float]:
    """Return width and height in inches of a map around points."""
    spread = np.maximum(np.ptp(points, axis=0), _LEAST_M)
    width, height = np.maximum(longest_in * spread / spread.max(), 0.4 * longest_in)
    return float(width), float(height)


def bare_axes(figure: Any, points: Floats, shape: float) -> Any:
    """Return frameless axes around all points; ``shape`` is width / height, metres are equally long both ways."""
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    left, right, low, high = limits(points, shape)
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
    return axes


def outline(axes: Any, points: Floats) -> None:
    """Shade the convex hull of a cell, or a line where its nodes have none."""
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):
        corners = points
    style: dict[str, Any] = {"facecolor": INKS["wash"], "edgecolor": INKS["wash"], "linewidth": 9, "joinstyle": "round"}
    axes.add_patch(Polygon(corners, zorder=1, clip_on=False, **style))


def write(axes: Any, texts: Sequence[str], anchors: Floats, away: Floats, nodes: Floats, size: float) -> None:
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


def scale_bar(axes: Any) -> None:
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
