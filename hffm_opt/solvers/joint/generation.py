"""The best rounds of a held circulation under free allocation, by column generation over all cells at once.

Whatever the trees, an event costs ``lambda_b before + lambda_a after + w energy`` at the prices that the master
(:mod:`.columns`) puts on the cell's seconds. Pricing finds the cheapest way of every event at these prices, exactly
over all trees and routes: that proves a bound (Lagrange) and adds columns. The mix is optimal over the convex hull
when no column improves it. With one tree per phase a mix of allocations is itself an allocation, because the feasible
set is convex in (t, B, 1/f); so fixing each event's weightiest tree and generating on gives a plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hffm_opt.plan.circulation import top_kind
from hffm_opt.plan.model import CellPlan
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.circulation import Weights
from hffm_opt.solvers.joint.allocated import HURRY, AllocatedRounds
from hffm_opt.solvers.joint.blends import blended, round_plan_of
from hffm_opt.solvers.joint.cell_phases import Event, Route
from hffm_opt.solvers.joint.columns import Block, Column, Mix, mix_columns, shapes_by_weight
from hffm_opt.solvers.joint.phases import Point
from hffm_opt.solvers.joint.polish import Held, cost_of, polish
from hffm_opt.solvers.joint.search import Judge, Judged, with_drift
from hffm_opt.solvers.joint.solo import Solo
from hffm_opt.solvers.joint.states import State, circulation_of

MAX_PASSES = 30
SEED_PRICES = (1.0, 0.1, 0.01)
Prices = tuple[float, float, float]


def _even(number: int) -> float:
    """Return the share of prices that pass ``number`` spreads evenly over the cells: much at first, then little."""
    return max(0.3 * 0.5**number, 1e-4)


def solo_point(solo: Solo, weight_time: float, weight_energy: float) -> Point:
    """Return training alone as a point without a tree."""
    time_s, energy_j = solo.best(weight_time, weight_energy)
    none = np.zeros(0)
    return Point(time_s, energy_j, -1, (), none, none, solo.cpu_hz(time_s))


def column_of(
    route: Route, number: int, groups: Sequence[Sequence[Point]], price: float, weight_energy: float
) -> Column:
    """Return a route with the points of its groups, and its solo training at a price of time, as a column."""
    points: list[Point] = []
    seconds = {"before": route.before_s, "after": route.after_s}
    if route.solo is not None:
        points.append(solo_point(route.solo, price, weight_energy))
        seconds["before"] += points[0].time_s
    for (_, side), group in zip(route.groups, groups, strict=True):
        points.extend(group)
        seconds[side] += sum(p.time_s for p in group)
    energy_j = route.energy_j + sum(p.energy_j for p in points)
    return Column(number, tuple(points), seconds["before"], seconds["after"], energy_j)


class Generation:
    """Column generation for one held circulation."""

    def __init__(
        self,
        problem: Problem,
        rounds: AllocatedRounds,
        calendar: Calendar,
        weights: Weights,
        events: Sequence[Sequence[tuple[Event, ...]]],
    ) -> None:
        self.rounds, self.calendar, self.weights = rounds, calendar, weights
        self.cells = len(problem.cells)
        self.events: list[Event] = []
        self.blocks: list[Block] = []
        for i, row in enumerate(events):
            for j, of_round in enumerate(row):
                for number, event in enumerate(of_round):
                    self.events.append(event)
                    self.blocks.append(Block(i, j, number))

    def prices(self, mix: Mix) -> list[Prices]:
        """Return what a mix charges every block per second before and after, and per joule."""
        return [
            (float(mix.before[b.cell, b.kind]), float(mix.after[b.cell, b.kind]), float(mix.energy[b.kind]))
            for b in self.blocks
        ]

    def price(self, at: Sequence[Prices]) -> float:
        """Add the cheapest column of every block at its prices; return the sum of their proven bounds."""
        asked = [
            (keys, before if side == "before" else after, energy)
            for event, (before, after, energy) in zip(self.events, at, strict=True)
            for route in event
            for keys, side in route.groups
        ]
        answers = iter(self.rounds.price(asked))
        total = 0.0
        for event, block, (before, after, energy) in zip(self.events, self.blocks, at, strict=True):
            columns, bounds = [], []
            for number, route in enumerate(event):
                groups = [next(answers) for _ in route.groups]
                columns.append(column_of(route, number, groups, before, energy))
                bounds.append(self.rounds.route_bound(route, before, after, energy))
            costs = [before * c.before_s + after * c.after_s + energy * c.energy_j for c in columns]
            block.columns.append(columns[int(np.argmin(costs))])
            total += min(bounds)
        return total

    def seed(self) -> None:
        """Give every block columns at a few shares of the price of time, and the quickest where a limit needs it."""
        calendar, weights = self.calendar, self.weights
        energy = weights.energy if weights.energy > 0 else 1e-3 * max(weights.latency, 1.0)
        span = weights.latency if weights.latency > 0 else energy
        for share in SEED_PRICES:
            n = calendar.counts / calendar.length
            self.price([(share * span * n[b.kind], share * span * n[b.kind], energy * n[b.kind]) for b in self.blocks])
        if weights.energy == 0 or np.isfinite(weights.max_latency_s):
            self.price([(1.0, 1.0, 0.0)] * len(self.blocks))

    def hull(self, tolerance: float, cutoff: float = np.inf) -> tuple[Mix | None, float]:
        """Return the best mix over the hull of all ways, and the proven bound; stop once the bound is at the cutoff."""
        self.seed()
        bound = -np.inf
        mix: Mix | None = None
        for number in range(MAX_PASSES):
            mix = mix_columns(self.calendar, self.weights, self.cells, self.blocks, _even(number))
            if mix is None:
                # Without the limits' help the columns may be too few; the quickest and the thriftiest are among them.
                return None, np.inf
            bound = max(bound, self.price(self.prices(mix)) - mix.charge)
            if mix.value - bound <= tolerance * abs(mix.value) or bound >= cutoff:
                break
        return mix, bound

    def single(self, mix: Mix, tolerance: float) -> tuple[float, list[Column]] | None:
        """Keep every block's weightiest shape, improve its allocations, and return the value and one column each."""
        kept = []
        for block, weight in zip(self.blocks, mix.weights, strict=True):
            shape = shapes_by_weight(block, weight)[0]
            kept.append(replace(block, columns=[c for c in block.columns if c.shape == shape]))
        final = mix_columns(self.calendar, self.weights, self.cells, kept, _even(0))
        for number in range(MAX_PASSES):
            if final is None:
                return None
            before = final.value
            self._reallocate(kept, self.prices(final))
            final = mix_columns(self.calendar, self.weights, self.cells, kept, _even(number))
            if final is not None and before - final.value <= tolerance * abs(before):
                break
        if final is None:
            return None
        return final.value, [blended(b.columns, w) for b, w in zip(kept, final.weights, strict=True)]

    def _reallocate(self, blocks: list[Block], at: Sequence[Prices]) -> None:
        """Add the best allocation of every block's own trees at its prices."""
        jobs = []
        for event, block, (before, after, energy) in zip(self.events, blocks, at, strict=True):
            route, held = event[block.columns[0].route], block.columns[0].points
            kept = iter(held[1:] if route.solo is not None else held)
            for keys, side in route.groups:
                price = (before if side == "before" else after) or HURRY * energy
                jobs += [(key, next(kept), price, energy) for key in keys]
        answers = iter(self.rounds.pricer.reallocate(jobs))
        for event, block, (before, _, energy) in zip(self.events, blocks, at, strict=True):
            number = block.columns[0].route
            route = event[number]
            groups = [[next(answers) for _ in keys] for keys, _ in route.groups]
            block.columns.append(column_of(route, number, groups, before, energy))


def _per_joule(mix: Mix) -> tuple[tuple[Prices, ...], ...]:
    """Return a mix's prices per cell and kind of round in joules."""
    return tuple(
        tuple((float(b / w), float(a / w), 1.0) if w > 0 else (float(b), float(a), 0.0) for b, a, w in row)
        for row in np.stack([mix.before, mix.after, np.broadcast_to(mix.energy, mix.before.shape)], axis=2)
    )


def judge_allocated(problem: Problem, rounds: AllocatedRounds, gap: float) -> Judge:
    """Return the judge of circulations under free allocation."""

    def judge(states: tuple[State, ...], calendar: Calendar, weights: Weights, cutoff: float = np.inf) -> Judged:
        top = top_kind(circulation_of(problem, states))
        short = Calendar.of(problem, top, calendar.first)
        events = [[rounds.events(i, states[j]) for j in range(top + 1)] for i in range(len(problem.cells))]
        generation = Generation(problem, rounds, short, weights, events)
        penalty = with_drift(problem, weights, Judged(states, 0.0, 0.0)).penalty
        mix, bound = generation.hull(gap / 4, cutoff - penalty)
        hopeless = mix is None or bound >= cutoff - penalty
        found = None if mix is None or hopeless else generation.single(mix, gap / 10)
        if found is None:
            return with_drift(problem, weights, Judged(states, np.inf, float(bound)))
        value, columns = found
        assert mix is not None
        held = Held(tuple(generation.blocks), tuple(generation.events), tuple(columns))
        return with_drift(problem, weights, Judged(states, value, min(bound, value), held=held, prices=_per_joule(mix)))

    return judge


def polished(problem: Problem, rounds: AllocatedRounds, judged: Judged, first: int | None, weights: Weights) -> Judged:
    """Let the conic engine allocate a judged circulation anew, and keep the cheaper of the two allocations."""
    top = top_kind(circulation_of(problem, judged.states))
    calendar = Calendar.of(problem, top, first)
    assert isinstance(judged.held, Held)
    found = polish(rounds.pricer, calendar, weights, len(problem.cells), judged.held)
    if found is None:
        return judged
    cost = cost_of(calendar, weights, len(problem.cells), found[1])
    return replace(judged, cost=cost, held=found[1]) if cost < judged.cost else judged


def cells_of(problem: Problem, rounds: AllocatedRounds, judged: Judged) -> tuple[CellPlan, ...]:
    """Return the cells of a judged circulation as they stand in a plan."""
    assert isinstance(judged.held, Held)
    top = top_kind(circulation_of(problem, judged.states))
    parts = {(b.cell, b.kind, b.event): c for b, c in zip(judged.held.blocks, judged.held.columns, strict=True)}
    cells = []
    for i, cell in enumerate(problem.cells):
        plans = []
        for j in range(top + 1):
            events = rounds.events(i, judged.states[j])
            plans.append(round_plan_of(problem, cell, events, [parts[i, j, e] for e in range(len(events))]))
        cells.append(CellPlan(edge=cell.edge.name, devices=cell.names, rounds=tuple(plans)))
    return tuple(cells)
