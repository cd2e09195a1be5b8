"""The best routes of module relaying: the program is solved, its routes are timed, tangents are laid where they end.

First the cheapest routes are found, and when their last copy comes: no better plan ends later than that. Then the whole
program is solved up to that time again and again. Every answer bounds the objective from below, and its routes, timed
exactly, from above; once routes come back, the tangents at their end have closed the gap.

Source: outer approximation (Duran and Grossmann, Mathematical Programming 36, 1986).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from hffm_opt.errors import LimitReachedError
from hffm_opt.plan.holders import RelayingProblem, misfit_of
from hffm_opt.plan.outcome import relative_gap
from hffm_opt.solvers.engines.highs_outcome import Status, StopReason
from hffm_opt.solvers.engines.pyomo_engine import ModelOutcome, solve_model
from hffm_opt.solvers.formulations.module_relaying import RelayingProgram, build, joules, read
from hffm_opt.solvers.formulations.relaying_shares import Route, least_end, least_factor, timing

# Routes found so far must stay within reach when the horizon is drawn in to where they end.
SLACK = 1 + 1e-7


@dataclass(frozen=True)
class Found:
    """The best routes (none where the engine found none), what no plan falls below, and why the search ended."""

    routes: tuple[Route, ...] | None
    bound: float
    status: Status
    reason: StopReason


def best_routes(relaying: RelayingProblem, engine: str, gap: float, time_limit_s: float) -> Found:
    """Return the routes of the best plan; every transfer has a way.

    Args:
        relaying: what is wanted.
        engine: which engine solves the programs.
        gap: relative gap at which to stop.
        time_limit_s: wall-clock limit of all programs together.
    """
    until = time.monotonic() + time_limit_s

    def solved(program: RelayingProgram) -> ModelOutcome:
        return solve_model(program.model, engine, gap=gap / 2, time_limit_s=max(0.1, until - time.monotonic()))

    program = build(relaying, least="cost")
    outcome = solved(program)
    if not math.isfinite(outcome.objective):
        return Found(None, outcome.bound, outcome.status, outcome.stop_reason)
    cheapest, bound, weight = outcome.bound, outcome.bound, relaying.latency_weight
    best: tuple[Route, ...] = ()
    value, ends, seen = math.inf, list[float](), set[tuple[Route, ...]]()
    while True:
        routes = read(program)
        end = least_end(timing(relaying, routes))
        now = cost_of(relaying, routes) + weight * end
        if now < value:
            best, value = routes, now
        if not best:
            return Found(None, bound, Status.UNKNOWN, StopReason.NUMERICS)
        closed = relative_gap(value, min(bound, value)) <= gap
        if closed or not weight or routes in seen or time.monotonic() >= until:
            break
        seen.add(routes)
        ends.append(end)
        horizon = min(max(w.deadline_s for w in relaying.wanted), (value - cheapest) / weight * SLACK)
        laid = sorted({horizon, *(at for at in ends if at < horizon)})
        program = build(relaying, until_s=horizon, sooner_s=laid)
        outcome = solved(program)
        if outcome.status is Status.INFEASIBLE:
            # Nothing ends by then but what was found already, and that only within rounding.
            return Found(best, value, Status.OPTIMAL, StopReason.GAP_CLOSED)
        bound = max(bound, min(outcome.bound, value))
        if not math.isfinite(outcome.objective):
            break
    if relative_gap(value, min(bound, value)) <= gap:
        return Found(best, bound, Status.OPTIMAL, StopReason.GAP_CLOSED)
    reason = outcome.stop_reason
    if reason is StopReason.GAP_CLOSED:
        reason = StopReason.TIME_LIMIT if time.monotonic() >= until else StopReason.NUMERICS
    return Found(best, bound, Status.FEASIBLE, reason)


def cost_of(relaying: RelayingProblem, routes: tuple[Route, ...]) -> float:
    """Return the weighted misfit and energy of routes."""
    network, total = relaying.network, 0.0
    for wanted, route in zip(relaying.wanted, routes, strict=True):
        spent = sum(joules(network, a, wanted) for a in route.arcs(network))
        total += relaying.misfit_weight * misfit_of(wanted, route.nodes[0]) + relaying.energy_weight * spent
    return total


def enough_time(relaying: RelayingProblem, engine: str, time_limit_s: float) -> tuple[float, str] | None:
    """Return the factor on all deadlines that is just enough, and the resource that binds then; None without any path.

    The routes of least load under some deadlines need a factor of their own; with that factor, others may have less
    load. This is Newton's method on the least load, as Dinkelbach's is on ratios.

    Raises:
        LimitReachedError: the time limit came before any answer.
    """
    slowest = 4 * float(relaying.network.delay_s.max(initial=0.0))
    factor = max([1.0, *(slowest / wanted.deadline_s for wanted in relaying.wanted)])
    found: tuple[float, str] | None = None
    while True:
        program = build(_stretched(relaying, factor), least="load")
        outcome = solve_model(program.model, engine, gap=1e-4, time_limit_s=time_limit_s)
        if not math.isfinite(outcome.objective):
            if found is None and outcome.status is not Status.INFEASIBLE:
                message = f"the deadlines are too short, by how much was not found: {outcome.stop_reason}"
                raise LimitReachedError.one("--time-limit", message, "allow more time")
            return found
        when = timing(relaying, read(program))
        needed = least_factor(when)
        if found is not None and needed >= found[0] * (1 - 1e-4):
            return found
        busiest = int(np.argmax(when.load(math.inf, needed)))
        found, factor = (needed, relaying.network.resources[busiest]), needed


def _stretched(relaying: RelayingProblem, factor: float) -> RelayingProblem:
    wanted = tuple(replace(one, deadline_s=one.deadline_s * factor) for one in relaying.wanted)
    return replace(relaying, wanted=wanted)
