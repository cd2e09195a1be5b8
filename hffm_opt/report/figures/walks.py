"""Walks drawn: accuracy against what they cost, the chain of an island, and its law beside the visits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from hffm_opt.plan.walks import Island
from hffm_opt.report.figures.series import series
from hffm_opt.report.legend import Key
from hffm_opt.report.numbers import percent
from hffm_opt.report.svg import INKS, Drawing, draw, shortened
from hffm_opt.trace.walks import WalkPoint

MOST_DEVICES = 16
_LABEL = 14
_PALEST, _DARKEST = 0.06, 0.6  # opacities of cells: figures stay readable on the darkest
_COSTS = {"clock_s": "simulated seconds", "energy_j": "joules"}


def walk_curve(
    curve: Sequence[WalkPoint], baseline: Mapping[str, float], cost: Literal["clock_s", "energy_j"], identity: str
) -> Drawing:
    """Draw the accuracy on every task against seconds or joules, majority answers dashed."""
    tasks = list(dict.fromkeys(task for point in curve for task in point.accuracy))
    ends = ", ".join(f"{task} ends at {percent(curve[-1].accuracy[task])}" for task in tasks)
    label = f"Accuracy against {_COSTS[cost]}: {ends or 'nothing was evaluated'}."

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.grid(visible=False, axis="x")
        for i, task in enumerate(tasks):
            ink = INKS[series(i).ink]
            points = [point for point in curve if task in point.accuracy]
            across = [getattr(point, cost) for point in points]
            axes.plot(
                across, [point.accuracy[task] for point in points], color=ink, linestyle=series(i).dash, linewidth=1.6
            )
            axes.axhline(baseline[task], color=ink, linewidth=0.9, linestyle=(0, (4, 2.5)), zorder=1.5)
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.set_xlabel(_COSTS[cost])
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
        axes.tick_params(which="both", length=0)

    keys = [Key(task, series(i).ink, series(i).dash) for i, task in enumerate(tasks)]
    return draw(identity, label, 4.4, 2.9, paint, [*keys, Key("majority answers", "muted", "dashed")])


def chain_map(island: Island, identity: str) -> Drawing:
    """Draw the transition probabilities of an island: from the row's device to the column's."""
    n = len(island.devices)
    names = [shortened(name, _LABEL) for name in island.devices]
    stays = max(island.transition[k][k] for k in range(n))
    label = (
        f"Transition probabilities among {n} devices. A copy stays where it is with a probability of {percent(stays)} "
        "at most."
    )

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.grid(visible=False)
        for i, row in enumerate(island.transition):
            for j, share in enumerate(row):
                if share > 0:
                    opacity = _PALEST + (_DARKEST - _PALEST) * share
                    ink = INKS["d2d"]
                    axes.add_patch(Rectangle((j - 0.47, i - 0.47), 0.94, 0.94, color=ink, alpha=opacity, linewidth=0))
                    axes.text(j, i, f"{100 * share:.0f}", ha="center", va="center", zorder=3)
        axes.set_xlim(-0.6, n - 0.4)
        axes.set_ylim(n - 0.4, -0.6)
        axes.set_aspect("equal")
        axes.set_xticks(range(n), names, rotation=35, ha="right")
        axes.set_yticks(range(n), names)
        axes.tick_params(length=0)
        axes.set_xlabel("to, in %")
        axes.set_ylabel("from")

    size = 1.5 + 0.42 * n
    return draw(identity, label, size, size, paint)


def visit_bars(island: Island, visits: Sequence[float], identity: str) -> Drawing:
    """Draw the law of an island beside the shares of visits that were measured, [n]."""
    names = [shortened(name, _LABEL) for name in island.devices]
    most = max(range(len(names)), key=lambda k: abs(visits[k] - island.law[k]))
    label = (
        f"Visits beside the law. They differ most at {island.devices[most]}: {percent(visits[most])} of the visits, "
        f"{percent(island.law[most])} by the law."
    )

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.grid(visible=False, axis="y")
        for k, (law, share) in enumerate(zip(island.law, visits, strict=True)):
            axes.barh(k - 0.19, law, height=0.34, color=INKS["compute"], zorder=3)
            axes.barh(k + 0.19, share, height=0.34, color=INKS["d2d"], zorder=3)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.45, -0.55)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=" %", decimals=0))
        axes.set_xlabel("share of the visits on the island")
        axes.tick_params(length=0)

    keys = [Key("law: shares of the samples", "compute"), Key("visits", "d2d")]
    return draw(identity, label, 4.4, 0.9 + 0.3 * len(names), paint, keys)
