"""Accuracy against what it cost: a curve per run or group of runs, phases told apart, majority answers dashed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from hffm_opt.plan.circulation import Tier
from hffm_opt.report.figures.series import Series, series
from hffm_opt.report.legend import Key
from hffm_opt.report.numbers import number, percent
from hffm_opt.report.repeats import MeanPoint, RunGroup
from hffm_opt.report.svg import INKS, Drawing, draw

Cost = Literal["clock_s", "energy_j"]
_COST_NAMES: dict[Cost, str] = {"clock_s": "simulated seconds", "energy_j": "joules"}
_DEPTH = {tier.name.lower(): int(tier) for tier in Tier}
_LOG_FROM = 8.0  # ratio between the runs' costs from which a linear axis would hide the cheap ones
_FEW_DECADES = 100
_MOST_MARKED = 60  # points of a curve that are still marked one by one


def accuracy_figure(groups: Sequence[RunGroup], names: Sequence[str], task: str, cost: Cost, identity: str) -> Drawing:
    """Draw the accuracy on one task against seconds or joules.

    Args:
        groups: runs that differ in the seed alone are one curve, with a band around it.
        names: of the groups, for the words that replace the drawing.
        task: the task.
        cost: what the horizontal axis is.
        identity: unique in the page.
    """
    ends = [
        f"{name} ends at {percent(points[-1].accuracy[task].mean)}"
        for name, group in zip(names, groups, strict=True)
        if (points := [p for p in group.curve if task in p.accuracy])
    ]
    label = f"Accuracy on {task} against {_COST_NAMES[cost]}: {'; '.join(ends) or 'nothing was evaluated'}."

    curves = [found for group in groups if (found := [p for p in group.curve if task in p.accuracy])]
    ends_at = [getattr(curve[-1], cost) for curve in curves]
    starts_at = [getattr(curve[0], cost) for curve in curves]
    shares = {group.first.measurement.baseline[task] for group in groups if task in group.first.measurement.baseline}
    logarithmic = bool(ends_at) and max(ends_at) > _LOG_FROM * min(ends_at) and min(starts_at) > 0

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.grid(visible=False, axis="x")
        for i, group in enumerate(groups):
            for at in changes_at(group, cost):
                axes.axvline(at, color=INKS[series(i).ink], linewidth=0.7, zorder=1.2)
            _curve(axes, [p for p in group.curve if task in p.accuracy], task, cost, series(i))
        for share in sorted(shares):
            axes.axhline(share, color=INKS["muted"], linewidth=1.1, linestyle=(0, (4, 2.5)), zorder=1.5)
        axes.set_ylim(bottom=0)
        axes.set_ylim(top=min(1.0, axes.get_ylim()[1] * 1.04) if axes.get_ylim()[1] > 0 else 1.0)
        if logarithmic:
            subs = (1.0, 2.0, 5.0) if max(ends_at) < _FEW_DECADES * min(starts_at) else (1.0,)
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=subs))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_xlim(left=0)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.set_xlabel(_COST_NAMES[cost] + (", logarithmic" if logarithmic else ""))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
        axes.tick_params(which="both", length=0)

    keys = [Key(name, series(i).ink, series(i).dash) for i, name in enumerate(names)]
    keys += [Key("always the majority answer", "muted", "dashed")] if shares else []
    return draw(identity, label, 4.4, 2.9, paint, keys)


def changes_at(group: RunGroup, cost: Cost) -> list[float]:
    """Return the costs at which the plan of a run changed; nothing for several runs, which differ in that."""
    if group.count > 1:
        return []
    trace = group.first.trace
    begun = {revision.round for revision in trace.revisions}
    spent, found = 0.0, []
    for record in trace.rounds:
        if record.round + 1 in begun:
            found.append(record.end_s if cost == "clock_s" else spent + record.energy_j)
        spent += record.energy_j
    return found


def _curve(axes: Any, points: Sequence[MeanPoint], task: str, cost: Cost, look: Series) -> None:
    """Draw the states after averages as a line of filled marks; those before as hollow marks tied to what follows."""
    ink, marked = INKS[look.ink], len(points) <= _MOST_MARKED
    after = [p for p in points if p.phase == "after-average"]
    before = [p for p in points if p.phase == "before-average"]
    deepest = max((_DEPTH[p.tier] for p in after), default=0)

    def plot(
        chosen: Sequence[MeanPoint], mark: str | None = None, size: float = 3.6, fill: str = ink, **line: Any
    ) -> None:
        style = {"color": ink, "markeredgecolor": ink, "clip_on": False} | line
        values = [getattr(p, cost) for p in chosen], [p.accuracy[task].mean for p in chosen]
        axes.plot(*values, marker=mark, markersize=size, markerfacecolor=fill, **style)

    line = after or before  # a run that never averages has only states of the other kind
    band = [p.accuracy[task] for p in line]
    if any(part.low < part.high for part in band):
        low, high = [max(0.0, part.low) for part in band], [min(1.0, part.high) for part in band]
        axes.fill_between([getattr(p, cost) for p in line], low, high, color=ink, alpha=0.18, linewidth=0, zorder=1.4)
    plot(line, linestyle=look.dash, linewidth=1.6, zorder=3)
    if after:
        plot(before, linestyle="none" if marked else "-", linewidth=0.6, zorder=2)
    for first, second in pairwise(points):
        if marked and first.round == second.round:
            plot([first, second], linestyle=":", linewidth=0.8, zorder=2)
    if marked or len(line) == 1:
        plot(before, "o", fill=INKS["paper"], linestyle="none", zorder=2.5)
        for tier in dict.fromkeys(p.tier for p in after):
            size = 5.2 if _DEPTH[tier] == deepest else 3.0
            plot([p for p in after if p.tier == tier], "o", size, linestyle="none", zorder=3.5)
