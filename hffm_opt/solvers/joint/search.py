"""The joint search: a relaxed master proposes circulations, each is judged exactly, the bound rises until they meet.

This is logic-based Benders decomposition. The master (:mod:`..formulations.circulation`) is a lower bound for every
plan; a proposed circulation is judged over the cells' real ways (:mod:`.schedule`) and then cut off at the value
proven for it. The search ends when the least master bound reaches the best plan.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from hffm_opt.plan.circulation import drift
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.engines.highs import HighsOptions, Status
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.circulation import Master, MasterSolution
from hffm_opt.solvers.formulations.duals import Duals, Price
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.rounds import RoundChoice
from hffm_opt.solvers.joint.states import State, circulation_of

EXCESS = 1e-7
"""Relative excess over the limits from which a proof that they cannot be kept counts."""
Tell = Callable[[int, float, float, float], None]
"""Told of every circulation that was judged: its number, its value, the best value and the bound so far."""
PRICE_STEPS = (4.0, 2.0, 1.4, 1.0, 0.7, 0.4, 0.1)


@dataclass(frozen=True, eq=False)
class Judged:
    """A circulation with its best known rounds: cost per round and its proven bound, without the penalty.

    ``factor`` is what a cost counts by: the rounds to the target where an accuracy is aimed at, infinite where it is
    out of reach; else 1.

    ``choices`` are [cell][kind]; ``held`` is what stands in their place under free allocation. ``duals`` prove the
    bound over mixed rounds (of the kinds that the circulation tells apart), or that the limits cannot be kept.
    """

    states: tuple[State, ...]
    cost: float
    cost_bound: float
    penalty: float = 0.0
    factor: float = 1.0
    choices: tuple[tuple[RoundChoice, ...], ...] = ()
    held: object = None
    duals: Duals | None = None

    @property
    def top(self) -> int:
        """The last kind of round that the circulation tells apart from the one before it."""
        kinds = len(self.states)
        return max((j for j in range(1, kinds) if self.states[j] != self.states[j - 1]), default=0)

    @property
    def value(self) -> float:
        """The objective."""
        return np.inf if self.factor == np.inf else self.factor * self.cost + self.penalty

    @property
    def bound(self) -> float:
        """Proven lower bound on the objective of this circulation."""
        return np.inf if self.factor == np.inf else self.factor * self.cost_bound + self.penalty

    def cost_at(self, value: float) -> float:
        """Return the cost per round at which the objective has a value."""
        return (value - self.penalty) / self.factor


class Judge(Protocol):
    """Finds the best rounds of a circulation; may give up, with a bound, once that bound reaches the cutoff."""

    def __call__(
        self, states: tuple[State, ...], calendar: Calendar, weights: Weights, cutoff: float = np.inf
    ) -> Judged: ...


@dataclass(frozen=True, eq=False)
class Found:
    """The end of a search: the best judged circulation (or none), the proven bound, and why it ended.

    ``reason`` is ``proven`` where nothing is left to search, ``undecided`` where that left neither a plan nor a proof
    that there is none, else what stopped it.
    """

    best: Judged | None
    bound: float
    reason: str
    proposals: int
    calendar: Calendar | None = field(default=None)


def price_grid(weights: Weights, cells: int) -> tuple[Price, ...]:
    """Return the prices (before, after, energy) at which the master uses the cells' proven supports.

    In an optimum a second costs ``w_L / w_E`` joules over all cells, so the grid spans shares of that ratio, closest
    around an even split.
    """
    alone: tuple[Price, ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    if weights.energy > 0 and weights.latency > 0:
        top = weights.latency / weights.energy
        shares = sorted({1.0, *(min(1.0, a / cells) for a in PRICE_STEPS)})
        return alone + tuple((top * a, top * a, 1.0) for a in shares)
    if np.isfinite(weights.max_energy_j) or np.isfinite(weights.max_latency_s):
        return alone + tuple((10.0**k, 10.0**k, 1.0) for k in range(-2, 4))
    return alone


def search(
    problem: Problem,
    masters: dict[int | None, Master],
    judge: Judge,
    weights: Weights,
    gap: float,
    time_limit_s: float,
    tell: Tell | None = None,
) -> Found:
    """Return the best circulation with a proven bound.

    Args:
        problem: the problem.
        masters: one relaxed program per kind of the first cloud event.
        judge: finds the best rounds of a circulation; its bound may lie below its value.
        weights: objective and limits.
        gap: relative gap at which to stop.
        time_limit_s: wall-clock limit.
        tell: told of every circulation judged.
    """
    started = time.perf_counter()
    grid = price_grid(weights, len(problem.cells))
    top = next(iter(masters.values())).calendar.top
    prices: list[list[tuple[Price, ...]]] = [[grid] * (top + 1) for _ in problem.cells]
    visited: dict[int | None, list[tuple[tuple[State, ...], float]]] = {first: [] for first in masters}
    exact: dict[int | None, set[tuple[int, State]]] = {first: set() for first in masters}
    heap: list[tuple[float, int, MasterSolution | None]] = []
    keys = list(masters)
    for order in range(len(keys)):
        heapq.heappush(heap, (-np.inf, order, None))
    best: Judged | None = None
    best_calendar: Calendar | None = None
    loose = np.inf
    proposals = 0
    reason = "proven"
    undecided = False
    while heap:
        floor, order, proposal = heap[0]
        if best is not None and min(floor, loose) >= best.value - gap * abs(best.value):
            break
        left = time_limit_s - (time.perf_counter() - started)
        if left <= 0:
            reason = "time limit"
            break
        heapq.heappop(heap)
        key = keys[order]
        master = masters[key]
        if proposal is None:
            options = HighsOptions(time_limit_s=left, relative_gap=gap / 3)
            relaxed = master.solve(prices, visited[key], exact[key], options)
            if relaxed.outcome.status is Status.INFEASIBLE:
                continue
            # Judging waits until no other program's bound is lower.
            heapq.heappush(heap, (max(floor, relaxed.bound), order, relaxed if relaxed.states else None))
            if relaxed.states is None:
                reason = relaxed.outcome.stop_reason.value
                break
            continue
        assert proposal.states is not None
        heapq.heappush(heap, (floor, order, None))
        if proposal.states in [states for states, _ in visited[key]]:
            # Proposed again, so nothing else is better than its own proven bound: from here on it only loosens ours.
            loose = min(loose, floor)
            visited[key] = [(s, np.inf if s == proposal.states else v) for s, v in visited[key]]
            continue
        judged = judge(proposal.states, master.calendar, weights, np.inf if best is None else best.value)
        if master.ways is not None and judged.cost_bound - floor > gap * abs(judged.cost_bound):
            # The supports let cells mix their ways; where that makes the bound weak, real ways replace them.
            exact[key] |= {(j, proposal.states[j]) for j in master.calendar.endings}
        proposals += 1
        undecided |= judged.value == np.inf and judged.cost_bound < np.inf and best is None
        if tell is not None:
            least = min(judged.value, np.inf if best is None else best.value)
            tell(proposals, judged.value, least, min(floor, loose))
        visited[key].append((proposal.states, judged.cost_bound))
        if judged.value < np.inf and (best is None or judged.value < best.value):
            best, best_calendar = judged, master.calendar
            for i, row in enumerate(judged.duals.per_joule() if judged.duals is not None else ()):
                for j, price in enumerate(row[: top + 1]):
                    prices[i][j] = (*grid, price)
    proven = min(heap[0][0] if heap else np.inf, loose)
    if best is not None:
        proven = min(proven, best.value)
    elif undecided and reason == "proven":
        reason = "undecided"
    return Found(best, proven, reason, proposals, best_calendar)


def with_drift(problem: Problem, weights: Weights, judged: Judged) -> Judged:
    """Add what the learning penalty makes of a judged circulation: its share of the objective, its rounds."""
    phi = drift(problem, circulation_of(problem, judged.states))
    return replace(judged, penalty=weights.drift * phi, factor=weights.factor(phi))
