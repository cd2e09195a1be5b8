"""Transmissions on a map: an arrow for each group of modules, side by side, as wide as its load."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.patches import FancyArrowPatch

from hffm_opt.problem.radio import Floats
from hffm_opt.report.flows import Flow
from hffm_opt.report.groups import ModuleGroup, bits_by_group
from hffm_opt.report.svg import INKS

THIN, WIDE = 0.7, 1.6
"""Width in points of an arrow with nothing to carry, and what the heaviest transmission adds."""
APART = 0.6
DASH = (2.4, 1.6)


@dataclass(frozen=True)
class Move:
    """A transmission on a map; ``parts`` are the ink and the bits of each group in it."""

    source: str
    target: str
    upward: bool
    parts: tuple[tuple[str, float], ...]

    @property
    def bits(self) -> float:
        """All its bits."""
        return sum(bits for _, bits in self.parts)


def moves_of(flows: Iterable[Flow], groups: Sequence[ModuleGroup]) -> list[Move]:
    """Return the moves of planned transmissions that carry anything."""
    return [
        Move(flow.source, flow.target, flow.upward, parts_of(groups, bits_by_group(groups, dict(flow.by_module))))
        for flow in flows
        if flow.bits > 0
    ]


def parts_of(groups: Sequence[ModuleGroup], bits: Sequence[float]) -> tuple[tuple[str, float], ...]:
    """Return ink and bits of the groups that carry any."""
    return tuple((group.ink, carried) for group, carried in zip(groups, bits, strict=True) if carried > 0)


def arrows(
    axes: Any, place: Mapping[str, Floats], moves: Sequence[Move], bend: float, shrink: float, mark: str = ""
) -> None:
    """Draw moves between nodes that have a place; ``mark`` begins the identifiers of the arrows, if given."""
    widest = max((move.bits for move in moves), default=0.0)
    (left, right), width_in = axes.get_xlim(), axes.figure.get_size_inches()[0]
    metres_per_point = (right - left) / (72 * width_in)
    for i, move in enumerate(moves):
        if move.source not in place or move.target not in place:
            continue
        ends = np.array([place[move.source], place[move.target]])
        sideways = _sideways(ends) * metres_per_point
        widths = [THIN + WIDE * bits / widest for _, bits in move.parts]
        offset = -(sum(widths) + APART * (len(widths) - 1)) / 2
        for (ink, _), width in zip(move.parts, widths, strict=True):
            start, end = ends + (offset + width / 2) * sideways
            offset += width + APART
            patch = FancyArrowPatch(
                start,
                end,
                arrowstyle="-|>,head_length=3.2,head_width=1.8",
                connectionstyle=f"arc3,rad={bend}",
                shrinkA=shrink,
                shrinkB=shrink,
                linewidth=width,
                linestyle="-" if move.upward else (0, DASH),
                edgecolor=INKS[ink],
                facecolor=INKS[ink],
                zorder=3 if move.upward else 2,
                clip_on=False,
            )
            if mark:
                patch.set_gid(f"{mark}-{i}")
            axes.add_patch(patch)


def _sideways(ends: Floats) -> Floats:
    """Return the unit vector across a line from one end to the other."""
    along = ends[1] - ends[0]
    length = float(np.hypot(*along))
    return np.array([along[1], -along[0]]) / length if length > 0 else np.zeros(2)
