"""The calendar of averages as a drawing; the page itself has it as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.patches import Rectangle

from hffm_opt.report.svg import INKS, Drawing, draw

_FILL = {"local": "wash", "d2d": "d2d", "edge": "uplink", "cloud": "cloud"}


def calendar_figure(
    rounds: Sequence[int], rows: Sequence[tuple[str, Sequence[tuple[str, str]]]], identity: str
) -> Drawing:
    """Draw in which round each module is averaged at which tier.

    Args:
        rounds: numbers of the rounds, from the left.
        rows: each module with the name and the letter of its tier in each round.
        identity: unique among the figures.
    """
    label = f"Calendar of averages: {len(rows)} modules, rounds {rounds[0]} to {rounds[-1]}."

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.grid(visible=False)
        for y, (_, tiers) in enumerate(rows):
            for x, (tier, letter) in enumerate(tiers):
                axes.add_patch(Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, facecolor=INKS[_FILL[tier]], linewidth=0))
                axes.text(x, y, letter, ha="center", va="center", color=INKS["paper"], weight="bold")
        axes.set_xlim(-0.5, len(rounds) - 0.5)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xticks(range(len(rounds)), [str(number) for number in rounds])
        axes.set_yticks(range(len(rows)), [module for module, _ in rows])
        axes.tick_params(length=0)
        axes.tick_params(axis="y", labelcolor=INKS["ink"])
        axes.set_xlabel("round; D at the heads, E at the edges, C at the cloud")
        for spine in axes.spines.values():
            spine.set_visible(False)

    return draw(identity, label, 1.6 + 0.3 * max(len(rounds), 8), 0.6 + 0.28 * len(rows), paint)
