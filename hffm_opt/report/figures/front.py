"""The latency-energy front: proven points, what they rule out, and the baselines beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from hffm_opt.plan.front import ParetoFront
from hffm_opt.report.numbers import number
from hffm_opt.report.svg import INKS, Drawing, draw

_TICKS = (1.0, 2.0, 3.0, 5.0, 7.0)
_WORDS = {"log": "logarithmic", "linear": "linear"}
_TURN = 0.6  # from this share of the width on, names stand to the left of their marks
_ROOM = 1.25
"""Factor by which the axes reach beyond the outermost mark."""


def front_figure(
    front: ParetoFront,
    baselines: Mapping[str, tuple[float, float]],
    run: Mapping[str, tuple[float, float]] | None = None,
) -> Drawing:
    """Draw a front: plans as marks, shaded what is proven that no plan reaches, baselines as hollow marks.

    Args:
        front: the front.
        baselines: latency in s and energy in J per round by method; those that no other beats in both are named.
        run: the same of plans that were run, by label; all are named.
    """
    ran = run or {}
    first, last = front.points[0], front.points[-1]
    label = (
        f"Latency-energy front of {front.scenario.name}, {len(front.points)} points from {number(first.latency_s)} s "
        f"and {number(first.energy_j)} J to {number(last.latency_s)} s and {number(last.energy_j)} J, "
        f"beside {len(baselines)} baselines"
        + "".join(f"; {name} at {number(x)} s and {number(y)} J" for name, (x, y) in ran.items())
        + "."
    )

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        latency = [point.latency_s for point in front.points]
        energy = [point.energy_j for point in front.points]
        beside = [*baselines.values(), *ran.values()]
        everywhere = [(*latency, *(x for x, _ in beside)), (*energy, *(y for _, y in beside))]
        left, bottom = (min(values) / _ROOM for values in everywhere)
        right, top = (max(values) * _ROOM or 1.0 for values in everywhere)
        # Where nothing need be sent a plan may cost nothing, which no logarithm shows.
        scales = ["log" if low > 0 else "linear" for low in (left, bottom)]
        axes.set(xscale=scales[0], yscale=scales[1], xlim=(left, right), ylim=(bottom, top))
        _ruled_out(axes, front, (left, right, bottom, top))
        axes.plot(latency, energy, "o", color=INKS["uplink"], markersize=5, label="proven plan", zorder=4)
        marks = {"marker": "o", "linestyle": "none", "markersize": 4.5, "markerfacecolor": INKS["paper"]}
        points = list(zip(*baselines.values(), strict=True)) or [(), ()]
        if baselines or not ran:
            axes.plot(*points, color=INKS["cloud"], label="baseline", zorder=3, **marks)
        for i, (name, place) in enumerate(ran.items()):
            star = {"marker": "*", "linestyle": "none", "markersize": 12, "markeredgecolor": INKS["paper"]}
            axes.plot(*place, color=INKS["downlink"], zorder=5, label=None if i else "plan that was run", **star)
            right = axes.transLimits.transform(axes.transScale.transform(place))[0] > _TURN
            style = {"fontsize": 8.5, "color": INKS["ink"], "zorder": 6, "ha": "right" if right else "left"}
            axes.annotate(name, place, (-7 if right else 7, -9), textcoords="offset points", **style)
        for name, (x, y) in baselines.items():
            if not any(a <= x and b <= y and (a, b) != (x, y) for a, b in baselines.values()):
                axes.annotate(name, (x, y), (5, 3), textcoords="offset points", fontsize=7.5, color=INKS["muted"])
        for axis, scale in zip((axes.xaxis, axes.yaxis), scales, strict=True):
            if scale == "log":
                axis.set_major_locator(LogLocator(subs=_TICKS))
            axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
            axis.set_minor_formatter(NullFormatter())
        axes.set(
            xlabel=f"latency per round in s, {_WORDS[scales[0]]}", ylabel=f"energy per round in J, {_WORDS[scales[1]]}"
        )
        axes.tick_params(which="both", length=0)
        figure.legend(loc="outside upper right", ncols=4, frameon=False, labelcolor=INKS["muted"])

    return draw("front", label, 6.4, 4.4, paint)


def _ruled_out(axes: Any, front: ParetoFront, corners: tuple[float, float, float, float]) -> None:
    """Shade the latencies and energies that the bounds exclude: a staircase, since a bound holds up to its limit."""
    left, right, bottom, top = corners
    limits = [max(left, front.latency_bound_s), *front.max_latency_s, right]
    # A bound under a wider limit holds under a narrower one too.
    bounds = [front.energy_bound_j]
    for point in reversed(front.points):
        bounds.append(max(bounds[-1], point.bound if point.bound is not None else 0.0))
    steps = [top, *reversed(bounds)]
    shade = {"color": INKS["wash"], "linewidth": 0, "zorder": 0.5, "label": "proven impossible"}
    edges, heights = [left, *limits], [*steps, steps[-1]]
    axes.fill_between(edges, bottom, heights, step="post", **shade)
