"""The best rounds of a held circulation under free allocation, by column generation over all cells at once.

Whatever the trees, an event costs ``lambda_b before + lambda_a after + w energy`` at the prices that the master
(:mod:`.columns`) puts on the cell's seconds. Pricing finds the cheapest way of every event at these prices, exactly
over all trees and routes: that proves a bound (Lagrange) and adds columns. The mix is optimal over the convex hull
when no column improves it. With one tree per phase a mix of allocations is itself an allocation, because the feasible
set is convex in (t, B, 1/f); so fixing each event's weightiest tree and generating on gives a plan.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hffm_opt.problem.model import Problem
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.duals import Duals
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.allocated import HURRY, AllocatedRounds
from hffm_opt.solvers.joint.blends import blended
from hffm_opt.solvers.joint.cell_phases import Event, Route
from hffm_opt.solvers.joint.columns import Block, Column, Mix, Shape, mix_columns, pick_shapes, shapes_by_weight
from hffm_opt.solvers.joint.phases import Point
from hffm_opt.solvers.joint.solo import Solo

MAX_PASSES = 30
SEED_PRICES = (1.0, 0.1, 0.01)
Prices = tuple[float, float, float]
QUICKEST = (1.0, 1.0, 0.0)
THRIFTIEST = (1e-11, 1e-11, 1.0)
"""Energy falls for ever as time grows; at this price of time it is within 1e-5 or so of what it falls to."""
KEPT = 1e-9
"""Relative excess up to which a limit counts as kept."""
ATTEMPTS, NODES = 3, 200
MOST_BLOCKS = 400
"""Events up to which a MILP picks the shapes; with more of them few mix shapes, and the MILP takes minutes."""


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


@dataclass(frozen=True, eq=False)
class Hull:
    """The best mix found over the hull of all ways, the bound proven for them, and the duals that prove it.

    Without a mix the bound is infinite where the limits are proven to admit none (by the duals), else what was proven.
    """

    mix: Mix | None
    bound: float
    duals: Duals | None


class Generation:
    """Column generation for one held circulation; after ``deadline`` (:func:`time.perf_counter`) it makes an end."""

    def __init__(
        self,
        problem: Problem,
        rounds: AllocatedRounds,
        calendar: Calendar,
        weights: Weights,
        events: Sequence[Sequence[tuple[Event, ...]]],
        deadline: float = np.inf,
    ) -> None:
        self.rounds, self.calendar, self.weights, self.deadline = rounds, calendar, weights, deadline
        self.cells = len(problem.cells)
        self.events: list[Event] = []
        self.blocks: list[Block] = []
        for i, row in enumerate(events):
            for j, of_round in enumerate(row):
                for number, event in enumerate(of_round):
                    self.events.append(event)
                    self.blocks.append(Block(i, j, number))

    @property
    def late(self) -> bool:
        """Whether the deadline has passed."""
        return time.perf_counter() >= self.deadline

    @property
    def limited(self) -> bool:
        """Whether latency or energy is limited."""
        return bool(np.isfinite([self.weights.max_latency_s, self.weights.max_energy_j]).any())

    def prices(self, mix: Mix) -> list[Prices]:
        """Return what a mix charges every block per second before and after, and per joule."""
        duals = mix.duals
        return [
            (float(duals.before[b.cell, b.kind]), float(duals.after[b.cell, b.kind]), float(duals.energy[b.kind]))
            for b in self.blocks
        ]

    def price(self, at: Sequence[Prices], improve: bool = True) -> float:
        """Add the cheapest column found for every block at its prices; return the sum of what they cost."""
        asked = [
            (keys, before if side == "before" else after, energy)
            for event, (before, after, energy) in zip(self.events, at, strict=True)
            for route in event
            for keys, side in route.groups
        ]
        answers = iter(self.rounds.price(asked, improve))
        total = 0.0
        for event, block, (before, after, energy) in zip(self.events, self.blocks, at, strict=True):
            columns = []
            for number, route in enumerate(event):
                groups = [next(answers) for _ in route.groups]
                columns.append(column_of(route, number, groups, before, energy))
            costs = [before * c.before_s + after * c.after_s + energy * c.energy_j for c in columns]
            block.columns.append(columns[int(np.argmin(costs))])
            total += min(costs)
        return total

    def proven(self, at: Sequence[Prices]) -> float:
        """Return a proven lower bound on what all blocks cost at their prices."""
        return sum(
            min(self.rounds.route_bound(route, *prices) for route in event)
            for event, prices in zip(self.events, at, strict=True)
        )

    def seed(self) -> None:
        """Give every block columns at a few shares of the price of time, and the quickest where a limit needs it."""
        calendar, weights = self.calendar, self.weights
        energy = weights.energy if weights.energy > 0 else 1e-3 * max(weights.latency, 1.0)
        span = weights.latency if weights.latency > 0 else energy
        n = calendar.counts / calendar.length
        for share in SEED_PRICES:
            self.price(
                [(share * span * n[b.kind], share * span * n[b.kind], energy * n[b.kind]) for b in self.blocks],
                improve=False,
            )
        if weights.energy == 0 or np.isfinite(weights.max_latency_s):
            self.price([QUICKEST] * len(self.blocks), improve=False)
        if np.isfinite(weights.max_energy_j):
            self.price([THRIFTIEST] * len(self.blocks), improve=False)

    def _mix(self, number: int, blocks: Sequence[Block] | None = None, elastic: bool = False) -> Mix | None:
        chosen = self.blocks if blocks is None else blocks
        return mix_columns(self.calendar, self.weights, self.cells, chosen, _even(number), elastic)

    def within_limits(self) -> tuple[bool | None, Duals | None]:
        """Generate columns until some mix keeps the limits; ``False`` where that is proven impossible, else ``None``.

        This is the first phase: the sum of relative excesses is minimised, and a bound above 0 is the proof, at the
        duals that are returned with it.
        """
        if not self.limited:
            return True, None
        for number in range(MAX_PASSES):
            mix = self._mix(number, elastic=True)
            if mix is None:
                break
            if mix.value <= KEPT:
                return True, None
            at = self.prices(mix)
            if self.price(at) - mix.duals.charge > KEPT and self.proven(at) - mix.duals.charge > KEPT:
                return False, mix.duals
        return None, None

    def hull(self, tolerance: float, cutoff: float = np.inf) -> Hull:
        """Return the best mix over the hull of all ways, and the proven bound; stop once the bound is at the cutoff."""
        self.seed()
        kept, refuting = self.within_limits()
        if not kept:
            return Hull(None, np.inf if kept is False else 0.0, refuting)
        bound, best = 0.0, None
        for number in range(MAX_PASSES):
            mix = self._mix(number)
            if mix is None:
                return Hull(None, bound, best)
            at = self.prices(mix)
            believed = self.price(at) - mix.duals.charge
            done = mix.value - believed <= tolerance * abs(mix.value) or number == MAX_PASSES - 1 or self.late
            # Where trees come from pools a proof is dear and short of what is believed: once is enough.
            if done or not self.rounds.pooled:
                proven = self.proven(at) - mix.duals.charge
                if proven >= bound:
                    bound, best = proven, mix.duals
            if done or bound >= cutoff:
                break
        return Hull(mix, bound, best)

    def single(self, mix: Mix, bound: float, tolerance: float) -> tuple[float, list[Column]] | None:
        """Return the best value found with one tree per phase, and its columns; ``None`` if none keeps the limits.

        First each block keeps its weightiest shape; where that is not good enough, a small MILP picks the shapes.
        """
        weightiest = [shapes_by_weight(b, w)[0] for b, w in zip(self.blocks, mix.weights, strict=True)]
        found = self._improved(weightiest, tolerance)
        # What a pool proves lies below what any of its trees can reach.
        aim = mix.value if self.rounds.pooled else bound
        for attempt in range(ATTEMPTS):
            if found is not None and found[0] - aim <= 4 * tolerance * abs(found[0]):
                break
            if self.late or len(self.blocks) > MOST_BLOCKS:
                break
            self._enrich(mix, attempt)
            known = (self.calendar, self.weights, self.cells, self.blocks, NODES)
            shapes = pick_shapes(*known) or pick_shapes(*known, elastic=True)
            other = None if shapes is None else self._improved(shapes, tolerance)
            if other is not None and (found is None or other[0] < found[0]):
                found = other
        return found

    def _enrich(self, mix: Mix, attempt: int) -> None:
        """Allocate every shape of the blocks that mix several anew: at the mix's prices, then at the extremes."""
        at = (self.prices(mix), [QUICKEST] * len(self.blocks), [THRIFTIEST] * len(self.blocks))[attempt]
        numbers, single = [], []
        for b, block in enumerate(self.blocks):
            shapes = {c.shape: c for c in block.columns}
            if len(shapes) > 1 or attempt:
                numbers += [b] * len(shapes)
                single += [replace(block, columns=[c]) for c in shapes.values()]
        self._reallocate(single, [at[b] for b in numbers], [self.events[b] for b in numbers])
        for b, part in zip(numbers, single, strict=True):
            self.blocks[b].columns.append(part.columns[-1])

    def _improved(self, shapes: Sequence[Shape], tolerance: float) -> tuple[float, list[Column]] | None:
        """Keep one shape per block and generate allocations of it, at first until the limits are kept."""
        kept = [
            replace(block, columns=[c for c in block.columns if c.shape == shape])
            for block, shape in zip(self.blocks, shapes, strict=True)
        ]
        for number in range(MAX_PASSES if self.limited else 0):
            excess = self._mix(number, kept, elastic=True)
            if excess is None or excess.value <= KEPT:
                break
            self._reallocate(kept, self.prices(excess), self.events)
        final = self._mix(0, kept)
        for number in range(MAX_PASSES):
            if final is None:
                return None
            before = final.value
            self._reallocate(kept, self.prices(final), self.events)
            final = self._mix(number, kept)
            if final is not None and (self.late or before - final.value <= tolerance * abs(before)):
                break
        if final is None:
            return None
        return final.value, [blended(b.columns, w) for b, w in zip(kept, final.weights, strict=True)]

    def _reallocate(self, blocks: Sequence[Block], at: Sequence[Prices], events: Sequence[Event]) -> None:
        """Add the best allocation of every block's own trees at its prices."""
        jobs = []
        for event, block, (before, after, energy) in zip(events, blocks, at, strict=True):
            route, held = event[block.columns[0].route], block.columns[0].points
            kept = iter(held[1:] if route.solo is not None else held)
            for keys, side in route.groups:
                price = (before if side == "before" else after) or HURRY * energy
                jobs += [(key, next(kept), price, energy) for key in keys]
        answers = iter(self.rounds.pricer.reallocate(jobs))
        for event, block, (before, _, energy) in zip(events, blocks, at, strict=True):
            number = block.columns[0].route
            route = event[number]
            groups = [[next(answers) for _ in keys] for keys, _ in route.groups]
            block.columns.append(column_of(route, number, groups, before, energy))
