"""The latency-energy front by the epsilon-constraint method: least energy under one limit on latency after another.

    F(l) = min E(x)  subject to  T(x) <= l        for limits  l_lo <= l <= l_hi

x is a plan, T(x) its latency per round in s, E(x) its energy per round in J. Every plan of F is Pareto-optimal or ties
with one, every Pareto-optimal plan is some F(l), and no convexity is needed (a weighted sum would miss the dents).

``l_lo`` is the least latency, plus what the solver leaves open. ``l_hi`` is the least latency at the least energy.
Under free allocation energy falls for ever as transmissions slow down, E -> E_inf for T -> inf, and the latency of the
last joule saved is absurd; so there ``l_hi`` is the least latency at which energy is within ``PATIENCE`` of the least.

Source: Haimes, Lasdon and Wismer, IEEE Trans. SMC 1(3), 1971, 296-297.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import count

from hffm_opt.errors import LimitReachedError
from hffm_opt.plan.front import ParetoFront
from hffm_opt.plan.model import ScenarioReference
from hffm_opt.plan.outcome import Outcome
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.optimal import LEAST_LIMIT, Progress, Space, optimal
from hffm_opt.solvers.registry import certify
from hffm_opt.solvers.request import Request
from hffm_opt.steps import nested

PATIENCE = 1e-2
"""Relative distance from the least energy at which a front ends under free allocation."""
END_GAP = 1e-2
"""Relative gap at which the search for that end stops: it says where to look, and nothing is claimed of it."""
SLACK = 1e-6
"""Relative slack of the limits at the ends where links are given; under free allocation it is the gap asked for."""
ENDS = 3
"""Searches for the ends of a front, before its points."""
SAME = 1e-9
"""Relative difference in energy below which two plans are one point."""


def pareto_front(problem: Problem, request: Request, points: int, progress: Progress | None = None) -> ParetoFront:
    """Return the latency-energy front with a certificate for each point.

    Limits are spaced geometrically, slowest first. Where links are given the front has gaps: a plan faster than its
    limit is the answer to all limits down to its latency, and the points that are left are spaced below it. So there
    may be fewer points than asked for, when there is nothing more to find.

    Args:
        problem: the compiled scenario.
        request: limits, held circulation, gap; its time limit is that of each search; its objective is not used.
        points: how many points at most, at least 2.
        progress: told which point is sought, and what the search is doing.

    Raises:
        InfeasibleError: no plan keeps the limits.
        LimitReachedError: no plan was found in time.
        InputError: too many modules for the exact method.
    """
    space = Space(problem)
    searches = count()

    def solve(asked: Request, what: str) -> Outcome:
        done = next(searches)

        def say(text: str) -> None:
            if progress is not None:
                progress(nested(what, text, done=done, total=points + ENDS))

        say("starting")
        return certify(problem, asked, "optimal", optimal(problem, asked, say, space))

    fastest = solve(replace(request, objective="latency"), "the fastest plan")
    frugal = solve(replace(request, objective="energy"), "the plan of least energy")
    slack = SLACK if problem.fixed_allocation else request.gap
    lowest = max(_within(fastest.latency_s * (1 + slack), request.max_latency_s), LEAST_LIMIT)

    def slowest() -> float:
        fixed = problem.fixed_allocation
        enough = _within(frugal.energy_j * (1 + (SLACK if fixed else PATIENCE)), request.max_energy_j)
        gap = request.gap if fixed else max(request.gap, END_GAP)
        try:
            end = solve(replace(request, objective="latency", max_energy_j=enough, gap=gap), "the end of the front")
        except LimitReachedError:
            return frugal.latency_s
        return min(_within(end.latency_s * (1 + slack), request.max_latency_s), max(frugal.latency_s, lowest))

    limit = max(slowest(), lowest)
    found: list[tuple[float, Outcome]] = []
    undecided: list[float] = []
    for left in range(points, 0, -1):
        reached = limit
        settled = False
        try:
            asked = replace(request, objective="energy", max_latency_s=limit)
            outcome = solve(asked, f"point {points - left + 1} of {points}")
            found.append((limit, outcome))
            reached, settled = min(limit, outcome.latency_s), outcome.status == "optimal"
        except LimitReachedError as error:
            undecided.append(limit)
            last = error
        if left == 1 or limit <= lowest or (settled and reached <= lowest):
            break
        limit = lowest * max(reached / lowest, 1.0) ** ((left - 2) / (left - 1))
    if not found:
        raise last
    kept = _nondominated(found)
    return ParetoFront(
        scenario=ScenarioReference.of(problem),
        latency_bound_s=_bound(fastest),
        energy_bound_j=_bound(frugal),
        points=tuple(outcome for _, outcome in kept),
        max_latency_s=tuple(limit for limit, _ in kept),
        undecided_s=tuple(reversed(undecided)),
    )


def _within(value: float, limit: float | None) -> float:
    return value if limit is None else min(value, limit)


def _bound(outcome: Outcome) -> float:
    assert outcome.bound is not None
    return outcome.bound


def _nondominated(found: Iterable[tuple[float, Outcome]]) -> list[tuple[float, Outcome]]:
    """Return by rising latency the points that no other is at least as good as in both figures."""
    kept: list[tuple[float, Outcome]] = []
    for limit, outcome in sorted(found, key=lambda point: (point[1].latency_s, point[1].energy_j)):
        if not kept or outcome.energy_j < kept[-1][1].energy_j * (1 - SAME):
            kept.append((limit, outcome))
    return kept
