"""The map of copies: modules on their way from node to node, outside the rounds of training."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hffm_opt.problem.model import Problem
from hffm_opt.report.figures.arrows import Move, arrows, parts_of
from hffm_opt.report.figures.network import LONGEST_LABEL, MAP_IN, nodes, places_by_name
from hffm_opt.report.figures.places import above, bare_axes, cloud_mark, map_size, outline, places, scale_bar, write
from hffm_opt.report.groups import ModuleGroup, bits_by_group
from hffm_opt.report.legend import Key
from hffm_opt.report.svg import INKS, Drawing, draw, shortened
from hffm_opt.scenario.model import CLOUD

_MOST_NAMED = 24  # devices that are named one by one


@dataclass(frozen=True)
class CopyHop:
    """A copy of a module on one link."""

    source: str
    target: str
    module: str
    bits: float


def copies_map(
    problem: Problem,
    hops: Sequence[CopyHop],
    receivers: Collection[str],
    groups: Sequence[ModuleGroup],
    what: str,
    identity: str,
) -> Drawing:
    """Draw the links that copies cross, and rings around the devices that they are for.

    Args:
        problem: the network.
        hops: every hop of every copy.
        receivers: the devices that copies are for.
        groups: the colours of the modules.
        what: what the copies are, for the label.
        identity: unique in the page.
    """
    place = places_by_name(problem)
    moves = _moves(hops, groups)
    touched = {end for move in moves for end in (move.source, move.target)}
    if CLOUD in touched:
        place[CLOUD] = above(np.array(list(place.values())))
    points = np.array(list(place.values()))
    width_in, height_in = map_size(points, MAP_IN)
    label = (
        f"Map of the network: {what} for {len(receivers)} device{'s' * (len(receivers) != 1)}, "
        f"over {len(moves)} link{'s' * (len(moves) != 1)}."
    )

    def paint(figure: Any) -> None:
        axes = bare_axes(figure, points, width_in / height_in)
        for cell in problem.cells:
            outline(axes, places(problem, cell))
            nodes(axes, problem, cell, (), None, False, 4.6)
        for name in sorted(receivers):
            ring = {"markerfacecolor": "none", "markeredgecolor": INKS["ink"], "markeredgewidth": 1.2}
            axes.plot(*place[name], "o", zorder=4, markersize=9.2, clip_on=False, **ring)
        if CLOUD in place:
            cloud_mark(axes, place[CLOUD])
        arrows(axes, place, moves, bend=0.13, shrink=4.2)
        _names(axes, problem, touched)
        scale_bar(axes)

    return draw(identity, label, width_in, height_in, paint, [Key(group.name, group.ink, "solid") for group in groups])


def _moves(hops: Sequence[CopyHop], groups: Sequence[ModuleGroup]) -> list[Move]:
    by_link: dict[tuple[str, str], dict[str, float]] = {}
    for hop in hops:
        bits = by_link.setdefault((hop.source, hop.target), {})
        bits[hop.module] = bits.get(hop.module, 0.0) + hop.bits
    return [Move(*ends, True, parts_of(groups, bits_by_group(groups, bits))) for ends, bits in by_link.items()]


def _names(axes: Any, problem: Problem, touched: Collection[str]) -> None:
    """Write the names of edge servers, and of the devices that have a part in it while these are few."""
    around = [places(problem, cell) for cell in problem.cells]
    rows = [
        (cell.edge.name, points[-1], points[-1] - points[:-1].mean(axis=0))
        for cell, points in zip(problem.cells, around, strict=True)
    ]
    devices = [
        (name, point, point - points.mean(axis=0))
        for cell, points in zip(problem.cells, around, strict=True)
        for name, point in zip(cell.names, points[:-1], strict=True)
        if name in touched
    ]
    rows += devices if len(devices) <= _MOST_NAMED else []
    texts = [shortened(name, LONGEST_LABEL) for name, _, _ in rows]
    anchors, away = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    write(axes, texts, anchors, away, np.concatenate(around), 8.5)
