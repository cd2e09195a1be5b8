"""How far every registered method stays from the proven bound: built-in networks, networks from files, random ones.

A random network is drawn per seed; seeds go in turn through the published arithmetic, correct physics with given links,
and correct physics with free allocation. A method that refuses a network, or breaks a limit on it, is recorded as such
and has no gap there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from statistics import median
from typing import TYPE_CHECKING, Any

from hffm_opt import api
from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.scenario.builtin.random_network import random_scenario
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.steps import pieces

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAP, TIME_LIMIT_S = 1e-3, 120.0
"""What the optimal method is asked for; a bound that is 0.1 % too low makes every gap 0.1 points too large."""
BUILT_IN, QUICK = ("paper", "paper-si"), ("tiny",)
RANDOM = "random"
STRIDE = 1000
MENU = (1, 2, 4, 8)
"""Holds the periods of every baseline: a plan outside the menu could cost less than the bound over it."""
TOLERANCE = 1e-6
NAMED = (("#d9822b", "D"), ("#2f9e6e", "^"), ("#a05ac8", "s"), ("#c2a500", "v"))
"""Colours, readable on white and on black, and marks of the named networks."""
KINDS: tuple[dict[str, Any], ...] = (
    {"profile": "reference", "allocation": "fixed"},
    {"profile": "si", "allocation": "fixed"},
    {"profile": "si", "allocation": "optimised"},
)


def run(setting: Setting, tell: Progress) -> Findings:
    """Compare all methods on every network."""
    rows: list[Row] = []
    begin = pieces(tell, len(_named(setting)) + len(setting.seeds))
    for group, scenario in _networks(setting):
        begin(scenario.name)
        found = api.compare(scenario, gap=GAP, time_limit=TIME_LIMIT_S)
        rows += [_row(group, scenario, found, row) for row in found.rows]
    return Findings(
        rows=tuple(rows),
        stopping_rule=f"'optimal' stops at a gap of {GAP:g} or after {TIME_LIMIT_S:g} s; the rest are rules",
        targets=(_bounds_hold(rows), _optimal_never_loses(rows)),
        remarks=_remarks(rows, setting),
        table=tuple(_by_method(rows)),
    )


def _row(group: str, scenario: Scenario, found: api.Comparison, row: api.Row) -> Row:
    return {
        "network": scenario.name,
        "group": group,
        "profile": scenario.physics.profile,
        "allocation": scenario.physics.allocation,
        "devices": len(scenario.devices),
        "method": row.method,
        "feasible": row.feasible,
        "latency_s": row.latency_s,
        "energy_j": row.energy_j,
        "objective": row.objective,
        "bound": found.bound,
        "gap": row.gap_to_bound,
        "seconds": row.seconds,
        "reason": row.reason,
    }


def _named(setting: Setting) -> tuple[str, ...]:
    return (*(QUICK if setting.quick else BUILT_IN), *setting.scenarios)


def _networks(setting: Setting) -> Iterator[tuple[str, Scenario]]:
    for name in _named(setting):
        scenario = load_scenario(name)
        yield scenario.name, scenario
    size: dict[str, Any] = {"cells": 1, "devices": 2, "modules": 1} if setting.quick else {}
    for seed in setting.seeds:
        yield RANDOM, _limited(seed, {**size, "periods": MENU, **KINDS[seed % len(KINDS)]})


def _limited(seed: int, options: dict[str, Any]) -> Scenario:
    """Return the seed's network, or the next that limits Phi: without a limit the best plan averages nothing, free."""
    drawn = (random_scenario(seed + step, **options) for step in count(step=len(KINDS) * STRIDE))
    return next(scenario for scenario in drawn if scenario.planning.drift_max is not None)


def _by_method(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield a line per method: its gap on each named network, and the spread of its gaps over the random ones."""
    groups = list(dict.fromkeys(row["group"] for row in rows))
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        line: Row = {
            "method": method,
            "networks": len(own),
            "refused": sum(row["latency_s"] is None for row in own),
            "feasible": sum(row["feasible"] for row in own),
        }
        for group in groups:
            gaps = [row["gap"] for row in own if row["group"] == group]
            if group != RANDOM:
                line[f"{group}: gap %"] = _percent(gaps[0])
                continue
            found = [gap for gap in gaps if gap is not None]
            line["random: least %"] = _percent(min(found, default=None))
            line["median %"] = _percent(median(found) if found else None)
            line["most %"] = _percent(max(found, default=None))
        line["median s"] = median(row["seconds"] for row in own)
        yield line


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 3)


def _bounds_hold(rows: Sequence[Row]) -> Target:
    broken = [row for row in rows if row["gap"] is not None and row["gap"] < -TOLERANCE]
    return Target("plans below a proven bound", "none", len(broken), not broken)


def _optimal_never_loses(rows: Sequence[Row]) -> Target:
    best = {row["network"]: row["objective"] for row in rows if row["method"] == "optimal" and row["feasible"]}
    beaten = [
        row
        for row in rows
        if row["feasible"] and row["network"] in best and row["objective"] < best[row["network"]] * (1 - GAP)
    ]
    return Target(f"plans better than the optimal one by more than its gap of {GAP:g}", "none", len(beaten), not beaten)


def _remarks(rows: Sequence[Row], setting: Setting) -> tuple[str, ...]:
    refused = {
        f"{row['network']} has no proven bound: {row['reason']}"
        for row in rows
        if row["method"] == "optimal" and row["bound"] is None
    }
    skipped = () if setting.scenarios else ("Real networks were skipped: give them with --scenario FILE.",)
    return (*sorted(refused), *skipped)


def figure(rows: Sequence[Row]) -> Figure:
    """Draw the gaps per method: boxes over random networks, every network a point, the named ones marked."""
    from matplotlib.figure import Figure

    drawn = [row for row in rows if row["gap"] is not None]
    gaps = {name: [100 * r["gap"] for r in drawn if r["method"] == name] for name in {r["method"] for r in drawn}}
    methods = sorted(gaps, key=lambda name: (-median(gaps[name]), name))
    figure = Figure(figsize=(8.0, 1.2 + 0.3 * len(methods)), layout="constrained")
    axes = figure.add_subplot()
    grey = {"color": "#777d86"}
    axes.boxplot(
        [[100 * r["gap"] for r in drawn if r["method"] == name and r["group"] == RANDOM] for name in methods],
        positions=range(len(methods)),
        orientation="horizontal",
        widths=0.6,
        showfliers=False,
        boxprops=grey,
        whiskerprops=grey,
        capprops=grey,
        medianprops={"color": "#d1495b", "linewidth": 2},
    )
    groups = [group for group in dict.fromkeys(row["group"] for row in drawn) if group != RANDOM]
    looks = [(RANDOM, "#5b8fc9", "o", 9.0)]
    looks += [(group, *NAMED[i % len(NAMED)], 42.0) for i, group in enumerate(groups)]
    for group, colour, mark, size in looks:
        points = [row for row in drawn if row["group"] == group]
        places = [methods.index(row["method"]) for row in points]
        axes.scatter(
            [100 * row["gap"] for row in points],
            places,
            s=size,
            c=colour,
            marker=mark,
            label=group,
            zorder=3,
            alpha=0.9,
        )
    axes.set_yticks(range(len(methods)), methods)
    axes.set_xlabel("gap to the proven bound, % of the method's cost")
    axes.grid(axis="x")
    figure.legend(loc="outside lower center", ncols=len(looks))
    return figure
