"""The map that the round slider draws on: all nodes, the cloud above them, and the transfers of one round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hffm_opt.problem.model import Problem
from hffm_opt.report.figures.arrows import Move, arrows, parts_of
from hffm_opt.report.figures.network import MAP_IN, edge_labels, nodes, places_by_name
from hffm_opt.report.figures.places import above, bare_axes, cloud_mark, limits, map_size, outline, places, scale_bar
from hffm_opt.report.legend import group_keys
from hffm_opt.report.replay import UPWARD, Replay, ReplayRound
from hffm_opt.report.svg import Drawing, draw
from hffm_opt.scenario.model import CLOUD

BEND, SHRINK = 0.13, 3.0
MOVE = "move"
"""Begins the identifiers of the arrows, which the page's script exchanges for those of another round."""


def replay_map(problem: Problem, replay: Replay, identity: str) -> tuple[Drawing, dict[str, tuple[float, float]]]:
    """Draw the first of the kept rounds; return the drawing, and where each node is in it in SVG units."""
    first = replay.rounds[0]
    place = places_by_name(problem)
    if any(CLOUD in (move.source, move.target) for item in replay.rounds for move in item.moves):
        place[CLOUD] = above(np.array(list(place.values())))
    points = np.array(list(place.values()))
    width_in, height_in = map_size(points, MAP_IN)
    shape = width_in / height_in
    label = (
        f"Map of the network: {len(problem.scenario.devices)} devices around {len(problem.cells)} edge servers, "
        f"with all that moved in round {first.number}."
    )

    def paint(figure: Any) -> None:
        axes = bare_axes(figure, points, shape)
        for cell in problem.cells:
            outline(axes, places(problem, cell))
            nodes(axes, problem, cell, (), None, False, 4.2)
        if CLOUD in place:
            cloud_mark(axes, place[CLOUD])
        arrows(axes, place, _moves(first, replay), BEND, SHRINK, MOVE)
        edge_labels(axes, problem)
        scale_bar(axes)

    left, right, _, high = limits(points, shape)
    scale = 72 * width_in / (right - left)
    found = {name: (round((x - left) * scale, 1), round((high - y) * scale, 1)) for name, (x, y) in place.items()}
    return draw(identity, label, width_in, height_in, paint, group_keys(replay.groups)), found


def _moves(item: ReplayRound, replay: Replay) -> Sequence[Move]:
    return [
        Move(move.source, move.target, move.step in UPWARD, parts_of(replay.groups, move.kilobits))
        for move in item.moves
        if sum(move.kilobits) > 0
    ]
