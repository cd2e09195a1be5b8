"""The least cost of all rounds to a target accuracy, by branch and bound over intervals of Phi.

    minimise N(Phi(x)) c(x) over plans x        c: cost per round, N: rounds to the target, nondecreasing in Phi

Let ``b(h)`` be a proven bound on ``c`` over the plans with ``Phi <= h``. On an interval of Phi from l to h

    N(Phi(x)) c(x) >= N(l) b(h)

and the plan y that comes with b(h) is a plan for the whole: at Phi(y) = p and above none is better by more than the gap
of y. What is left is Phi < p, halved in N; the interval of least bound is solved next. Any solver of "least cost under
a limit on Phi" serves.

Source: branch and bound with monotone bounds (Tuy, Monotonic optimization, SIAM J. Optim. 11(2), 2000).
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable
from dataclasses import replace

from hffm_opt.plan.circulation import drift, uniform
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.search import Found
from hffm_opt.solvers.joint.states import circulation_of

STEP = 1e-6
"""Share of ``1 + Phi`` by which the next limit on Phi lies below the last plan's: the engines' tolerance."""
BISECTIONS = 60
Solve = Callable[[float], Found]
"""Finds the least cost per round under a limit on Phi."""


def search_by_drift(problem: Problem, solve: Solve, weights: Weights, gap: float, deadline: float) -> Found:
    """Return the plan of least cost to the target found, with a proven bound.

    Args:
        problem: the problem.
        solve: given a limit on Phi, the least cost per round with its bound, limits on cost kept.
        weights: the rounds to the target, and the limit on Phi.
        gap: relative gap at which to stop.
        deadline: reading of :func:`time.perf_counter` after which nothing new is solved.
    """
    often = min(problem.scenario.planning.periods)
    lowest = drift(problem, uniform(problem, often, often, often))
    never = drift(problem, uniform(problem, None, None, None))
    reach = last_within(weights, lowest, min(weights.max_drift, never), math.inf)
    if reach is None:
        return Found(None, math.inf, "proven", 0)
    best: Found | None = None
    value, settled, proposals, reason = math.inf, math.inf, 0, "proven"
    # (bound on the objective, from Phi, to Phi, bound on the cost per round)
    heap = [(0.0, lowest, reach, 0.0)]
    while heap:
        proven, low, high, cost = heapq.heappop(heap)
        if min(proven, settled) >= value * (1 - gap):
            settled = min(settled, proven)
            break
        if time.perf_counter() >= deadline:
            settled, reason = min(settled, proven), "time limit"
            break
        found = solve(high)
        proposals += found.proposals
        cost = max(cost, found.bound)
        if found.best is None:
            if found.reason != "proven":
                settled, reason = min(settled, weights.factor(low) * cost), found.reason
            continue
        phi = drift(problem, circulation_of(problem, found.best.states))
        judged = replace(found.best, factor=weights.factor(phi))
        if judged.value < value:
            best, value = replace(found, best=judged), judged.value
        # A plan at the very end of the interval, or beyond it by a tolerance, must not be found again for ever.
        left = min(phi, high) - STEP * (1 + high)
        if left <= low:
            settled = min(settled, weights.factor(low) * cost)
            continue
        settled = min(settled, weights.factor(left) * cost)
        parts = halves(weights, low, left, gap / 4)
        for start, end in parts:
            heapq.heappush(heap, (weights.factor(start) * cost, start, end, cost))
    if heap:
        settled = min(settled, heap[0][0])
    if best is None:
        return Found(None, settled, reason, proposals)
    return Found(best.best, min(settled, value), reason, proposals, best.calendar)


def halves(weights: Weights, low: float, high: float, close: float) -> list[tuple[float, float]]:
    """Return an interval of Phi cut where N is the geometric mean of its ends; whole where these hardly differ.

    Args:
        weights: the rounds N.
        low, high: the interval, N finite at both.
        close: relative difference in N up to which nothing is gained by cutting.
    """
    first, last = weights.factor(low), weights.factor(high)
    if last <= first * (1 + close):
        return [(low, high)]
    middle = last_within(weights, low, high, math.sqrt(first * last))
    return [(low, high)] if middle is None or not low < middle < high else [(low, middle), (middle, high)]


def last_within(weights: Weights, low: float, high: float, most: float) -> float | None:
    """Return about the largest Phi of an interval at which N is finite and at most so much; None where none is."""

    def within(phi: float) -> bool:
        rounds = weights.factor(phi)
        return math.isfinite(rounds) and rounds <= most

    if not within(low):
        return None
    if within(high):
        return high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) else (low, middle)
    return low
