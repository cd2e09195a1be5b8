"""Accuracy at equal seconds and at equal joules where links are few: walks by three chains, and plans with averages.

What walks by the fastest chain take over some rounds, in simulated seconds and in joules, are the two budgets of a
seed. Everything else trains until it has spent both, and is judged by its last evaluation within each. How many rounds
it takes until what every device taught a module has reached all others on its island is followed along the walks alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from hffm_opt import api
from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.cores import usable_cores
from hffm_opt.plan.walks import WalkPlan, walk, walk_cost
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.walks import CHAINS, plan_walk
from hffm_opt.steps import pieces

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROUNDS, QUICK_ROUNDS = 32, 3
EVERY = 4
SPREADS, LONGEST, STEPS = 200, 2000, 5
LOSSES: tuple[tuple[float, int | None], ...] = ((0.0, None), (0.1, 8))
"""Probability that a hop is lost, and after how many rounds a copy that is missed is made anew."""
PLANS = ("star", "h-fedfm-1", "edge-only", "x-learning", "optimal")
PLACES: tuple[tuple[int, float, float, int, int], ...] = (
    (0, 120, 40, 24, 24),
    (0, 150, -30, 32, 0),
    (0, 260, 10, 0, 32),
    (0, 200, 60, 16, 48),
    (1, 760, 60, 32, 0),
    (1, 740, -20, 24, 24),
    (1, 980, 180, 24, 24),
)
"""Cell, position in m, samples of digits and of shapes."""


@dataclass(frozen=True)
class Point:
    """Seconds, joules and mean accuracy of an evaluation."""

    clock_s: float
    energy_j: float
    accuracy: float


def network(share: int = 2, questions: int = 40) -> Scenario:
    """Return two cells whose devices reach their neighbours over 90 m, with one device a ``share`` of the samples."""
    tiny = load_scenario("tiny")
    numbers = [0, 0]
    devices = []
    for cell, x_m, y_m, digits, shapes in PLACES:
        devices.append(
            tiny.devices[0].model_copy(
                update={
                    "name": f"device-{cell}-{numbers[cell]}",
                    "edge": f"edge-{cell}",
                    "x_m": float(x_m),
                    "y_m": float(y_m),
                    "cpu_min_hz": 0.2e9,
                    "cpu_max_hz": 2.0e9,
                    "samples": {"digits": digits // share, "shapes": shapes // share},
                }
            )
        )
        numbers[cell] += 1
    alike = {"divergence_within": 1.0, "divergence_between": 1.0}
    shared = {f"{band}_sharing": "shared" for band in ("uplink", "downlink", "d2d")}
    return tiny.model_copy(
        update={
            "name": "random-walk",
            "physics": tiny.physics.model_copy(update={**shared, "allocation": "optimised", "d2d_range_m": 90.0}),
            "devices": tuple(devices),
            "modules": tuple(module.model_copy(update=alike) for module in tiny.modules),
            "tasks": tuple(task.model_copy(update={"test_samples": questions}) for task in tiny.tasks),
            "planning": tiny.planning.model_copy(update={"drift_max": 200.0}),
        }
    )


def run(setting: Setting, tell: Progress) -> Findings:
    """Train by all walks and plans, once per seed."""
    scenario = network(8, 12) if setting.quick else network()
    problem, rounds = build_problem(scenario), QUICK_ROUNDS if setting.quick else ROUNDS
    losses, plans = (LOSSES, PLANS) if not setting.quick else (LOSSES[1:], PLANS[:1])
    walks = {
        f"{chain}, loss {loss:g}": plan_walk(problem, chain, late=late, loss=loss)
        for loss, late in losses
        for chain in CHAINS
    }
    chosen = {name: api.plan(scenario, method=name, max_drift=inf if name == "edge-only" else None) for name in plans}
    spreads = {name: _spread(problem, plan, 5 if setting.quick else SPREADS) for name, plan in walks.items()}
    begin = pieces(tell, len(setting.seeds) * (len(walks) + len(plans)))
    rows: list[Row] = []
    for seed in setting.seeds:
        first = walk_cost(problem, next(iter(walks.values())), rounds, seed)
        budget = first.latency_s, first.energy_j
        for name, plan in walks.items():
            begin(f"{name}, seed {seed}")
            row = _walked(problem, name, plan, seed, budget)
            rows.append(row | {"rounds to spread": spreads[name], "off law": off_law(plan, STEPS)})
        for name, outcome in chosen.items():
            begin(f"{name}, seed {seed}")
            count = max(1, int(max(budget[0] / outcome.latency_s, budget[1] / outcome.energy_j)))
            done = api.train(scenario, outcome, rounds=count, seed=seed, evaluate_every=1, after_only=True)
            curve = [Point(p.clock_s, p.energy_j, p.mean) for p in done.measurement.curve if p.phase == "after-average"]
            rows.append(_row(name, seed, budget, curve, count, done.measurement.predicted, done.measurement.measured))
    return Findings(
        rows=tuple(rows),
        stopping_rule=f"rounds until seconds and joules of {rounds} rounds of the first walk are both spent",
        targets=tuple(_targets(rows, walks)),
        remarks=(
            "accuracy is the mean over tasks and the devices that own them, each with the copies that it holds, at its "
            "last evaluation within the budget; null: there was none.",
            "rounds to spread: until what every device taught a module has reached all devices of its island that "
            f"train it, mean over islands, modules and {SPREADS} walks (at most {LONGEST}).",
            f"off law: total variation between where a copy is after {STEPS} steps and the shares of samples, at most.",
            "Walks never leave a cell, and one device has no D2D link; star, h-fedfm-1 and optimal average everywhere.",
            "Devices that walks visit train at full speed; optimal chooses speeds, and so spends less on training.",
        ),
        table=tuple(_mean(rows, name) for name in dict.fromkeys(row["method"] for row in rows)),
    )


def _walked(problem: Problem, name: str, plan: WalkPlan, seed: int, budget: tuple[float, float]) -> Row:
    """Train by walks until both budgets are spent."""
    from hffm_opt.learning.walking_run import train_walk

    count = 1
    while (cost := walk_cost(problem, plan, count, seed)).latency_s < budget[0] or cost.energy_j < budget[1]:
        count += 1
    trace = train_walk(problem, plan, count, seed, evaluate_every=EVERY, threads=usable_cores()).trace
    curve = [Point(p.clock_s, p.energy_j, p.mean) for p in trace.curve]
    return _row(name, seed, budget, curve, count, trace.predicted, trace.measured)


def _row(
    name: str, seed: int, budget: tuple[float, float], curve: Sequence[Point], rounds: int, told: Any, found: Any
) -> Row:
    def within(limit: float, figure: str) -> float | None:
        known = [point.accuracy for point in curve if getattr(point, figure) <= limit * (1 + 1e-9)]
        return known[-1] if known else None

    pairs = [(getattr(told, key), getattr(found, key)) for key in ("latency_s", "energy_j", "bits")]
    return {
        "method": name,
        "seed": seed,
        "budget s": budget[0],
        "budget J": budget[1],
        "accuracy at s": within(budget[0], "clock_s"),
        "accuracy at J": within(budget[1], "energy_j"),
        "s a round": found.latency_s / rounds,
        "J a round": found.energy_j / rounds,
        "rounds": rounds,
        "off": max(abs(a - b) / a if a else abs(b) for a, b in pairs),
        "curve": [[point.clock_s, point.energy_j, point.accuracy] for point in curve],
        "rounds to spread": None,
        "off law": None,
    }


def off_law(plan: WalkPlan, steps: int) -> float:
    """Return how far a copy's place is from the law after some steps: total variation, over islands and starts."""
    islands = [(np.array(island.transition), np.array(island.law)) for island in plan.islands]
    return max(float(np.abs(np.linalg.matrix_power(p, steps) - law).sum(axis=1).max()) / 2 for p, law in islands)


def _spread(problem: Problem, plan: WalkPlan, walks: int) -> float:
    """Return the mean rounds to spread over islands, modules and walks."""
    return fmean(rounds for seed in range(walks) for rounds in spread_rounds(problem, plan, seed, LONGEST).values())


def spread_rounds(problem: Problem, plan: WalkPlan, seed: int, most: int) -> dict[tuple[int, int], int]:
    """Return, by module and island where several devices train it, after which round all of them know from all.

    A device's copy knows from the devices whose training is in it; a copy that arrives takes the place of the one that
    was there, and copies that meet know what each knew. ``most`` where it took no fewer.
    """
    rows = {device.name: u for u, device in enumerate(problem.scenario.devices)}
    goals = {}
    for i, island in enumerate(plan.islands):
        for m in range(len(problem.modules)):
            owners = frozenset(rows[name] for name in island.devices if problem.owners[rows[name], m])
            if len(owners) > 1:
                goals[m, i] = owners
    known: dict[tuple[int, int], frozenset[int]] = {}
    found: dict[tuple[int, int], int] = {}
    for part in walk(problem, plan, most, seed):
        for u in part.training:
            for m in problem.owners[u].nonzero()[0].tolist():
                known[m, u] = known.get((m, u), frozenset()) | {u}
        before = dict(known)
        for hop in part.hops:
            if hop.arrived:
                known[hop.module, hop.target] = before.get((hop.module, hop.source), frozenset())
        for (m, v), copies in part.meetings.items():
            known[m, v] = frozenset().union(*(before.get((m, u), frozenset()) for u, _ in copies))
        for key, owners in goals.items():
            if key not in found and all(known.get((key[0], u), frozenset()) >= owners for u in owners):
                found[key] = part.number
        if len(found) == len(goals):
            break
    return {key: found.get(key, most) for key in goals}


def _targets(rows: list[Row], walks: dict[str, WalkPlan]) -> list[Target]:
    islands = [island for plan in walks.values() for island in plan.islands if plan.method == "fastest-mixing"]
    slower = sum(island.slem > island.slem_metropolis_hastings for island in islands)
    gap = max(island.gap or 0.0 for island in islands)
    off = max(row["off"] for row in rows)
    wait = {name: next(row["rounds to spread"] for row in rows if row["method"] == name) for name in walks}
    pairs = _beside_metropolis_hastings(walks, "fastest-mixing")
    ratio = max(wait[a] / wait[b] for a, b in pairs)
    soonest = max(wait[a] / wait[b] for a, b in _beside_metropolis_hastings(walks, "minimal-kemeny"))
    constants = [island.kemeny for plan in walks.values() for island in plan.islands if island.kemeny]
    later = sum(kemeny.constant > kemeny.metropolis_hastings for kemeny in constants)
    open_steps = max(kemeny.gap for kemeny in constants)
    far = {name: off_law(plan, STEPS) for name, plan in walks.items()}
    nearer = max(far[a] / far[b] for a, b in pairs)
    return [
        Target("islands whose fastest chain mixes slower than Metropolis-Hastings", "none", float(slower), not slower),
        Target("most that a fastest chain's modulus is above its bound", "1e-6", gap, gap <= 1e-6),
        Target("greatest relative difference of a ledger from its prediction", "1e-9", off, off <= 1e-9),
        Target("off law by the fastest chain, as a share of Metropolis-Hastings'", "1", nearer, nearer <= 1),
        Target("rounds to spread by the fastest chain, as a share of Metropolis-Hastings'", "1", ratio, ratio <= 1),
        Target("islands whose minimal Kemeny constant is above Metropolis-Hastings'", "none", float(later), not later),
        Target("most steps that it is above its bound", "1e-6", open_steps, open_steps <= 1e-6),
        Target("rounds to spread by minimal-kemeny, as a share of Metropolis-Hastings'", "1", soonest, soonest <= 1),
    ]


def _beside_metropolis_hastings(walks: dict[str, WalkPlan], chain: str) -> list[tuple[str, str]]:
    """Return the names of a chain's walks, each with that of Metropolis-Hastings at the same loss."""
    return [(name, name.replace(chain, "metropolis-hastings")) for name, plan in walks.items() if plan.method == chain]


def _mean(rows: list[Row], method: str) -> Row:
    mine = [row for row in rows if row["method"] == method]
    figures = ("accuracy at s", "accuracy at J", "s a round", "J a round", "rounds", "rounds to spread", "off law")
    known = {name: [row[name] for row in mine if row[name] is not None] for name in figures}
    return {"method": method} | {name: fmean(values) if values else None for name, values in known.items()}


def figure(rows: Sequence[Row]) -> Figure:
    """Draw accuracy against seconds and joules: means over seeds with their range, budgets upright."""
    from matplotlib.figure import Figure

    methods = list(dict.fromkeys(row["method"] for row in rows))
    drawn = Figure(figsize=(11.0, 4.8), layout="constrained")
    for place, axes in enumerate(drawn.subplots(1, 2)):
        for number, method in enumerate(methods):
            shared = list(zip(*(row["curve"] for row in rows if row["method"] == method), strict=False))
            across = [fmean(point[place] for point in points) for points in shared]
            levels = [[100 * point[2] for point in points] for points in shared]
            look = {"color": f"C{number % 10}", "linestyle": "-" if "loss" in method else ("--", ":", "-.")[number % 3]}
            axes.plot(across, [fmean(each) for each in levels], label=method, linewidth=1.6, **look)
            axes.fill_between(across, [*map(min, levels)], [*map(max, levels)], color=look["color"], alpha=0.07)
        axes.axvline(fmean(row[("budget s", "budget J")[place]] for row in rows), color="#777d86", linewidth=0.8)
        axes.set_xlabel(("simulated s", "J")[place])
        axes.set_ylabel("mean accuracy, %")
        axes.grid()
    handles, labels = drawn.axes[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=5, fontsize="small")
    return drawn
