"""The joint plan of more modules than circulations can be searched for exactly.

Local search proposes the circulation; heads, trees and allocation are then optimised with it held. What no plan can
beat is proven on the few modules that move most: leave the others out, and every plan stays one that costs no more.
Arcs carry less, trees lose leaves, rounds lose events, cells that need not meet run freely, Phi loses terms that are
not negative, and training is charged in full as before. (Not so under the published arithmetic, where a plan that keeps
the cloud out has to hand in its result at the end: there nothing is proven.)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hffm_opt.errors import InfeasibleError, LimitReachedError
from hffm_opt.plan.referee import evaluate_plan
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.heuristics.search.local_search import local_search
from hffm_opt.solvers.joint.states import MAX_MODULES
from hffm_opt.solvers.request import Certified, Request
from hffm_opt.steps import Step

Progress = Callable[[str], None]
Planner = Callable[[Problem, Request, Progress | None], Certified]


def heaviest(problem: Problem, count: int = MAX_MODULES) -> Problem:
    """Return the problem with only the ``count`` modules of most bits over all owners, in their order."""
    traffic = problem.payload_bit * problem.owners.sum(axis=0)
    kept = np.sort(np.argsort(-traffic, kind="stable")[:count])
    return replace(
        problem,
        modules=tuple(problem.modules[m] for m in kept),
        payload_bit=problem.payload_bit[kept],
        presum_depth=problem.presum_depth[kept],
        divergence_within=problem.divergence_within[kept],
        divergence_between=problem.divergence_between[kept],
        owners=problem.owners[:, kept],
    )


def plan_many(problem: Problem, request: Request, planner: Planner, progress: Progress | None) -> Certified:
    """Return a plan whose circulation local search found, with a bound over all circulations.

    Args:
        problem: more modules than the exact search takes; the association given.
        request: what is asked for, no circulation held. Each half has half its time.
        planner: the exact planner.
        progress: told what the search is doing.

    Raises:
        InfeasibleError: even the heaviest modules alone have no plan within the limits.
        LimitReachedError: the circulation found has no plan within the limits, or none was found in time.
    """
    started = time.perf_counter()
    half = replace(request, time_limit_s=request.time_limit_s / 2)
    bound = 0.0 if problem.published else _bound(problem, half, planner, progress)
    proposed = local_search(problem, half)
    left = request.time_limit_s - (time.perf_counter() - started)
    held = replace(request, circulation=proposed.circulation, time_limit_s=max(left, 0.0))
    try:
        found = planner(problem, held, progress)
    except InfeasibleError as error:
        repair = "loosen a limit, or hold a circulation (--circulation)"
        raise LimitReachedError.one("optimal", "the circulation that was found keeps no limit", repair) from error
    verdict = evaluate_plan(problem, found.plan, request.max_drift)
    value = request.value(verdict.latency_s, verdict.energy_j, verdict.drift)
    closed = value - bound <= request.gap * abs(value)
    return replace(
        found,
        bound=min(bound, value),
        stop_reason=_reason(problem, closed),
        seconds=time.perf_counter() - started,
        optimised=("circulation", *found.optimised),
        fixed=tuple(name for name in found.fixed if name != "circulation"),
        limited=time.perf_counter() - started >= request.time_limit_s,
    )


def _bound(problem: Problem, request: Request, planner: Planner, progress: Progress | None) -> float:
    """Return what the heaviest modules alone cost at least; 0 where the time did not do for a plan of them."""

    def tell(text: str) -> None:
        # The value of a part of the modules is no plan's; its bound holds for the whole.
        if progress is not None:
            progress(Step(text, bound=text.bound if isinstance(text, Step) else None))

    try:
        part = planner(heaviest(problem), request, tell)
    except LimitReachedError:
        return 0.0
    assert part.bound is not None
    return part.bound


def _reason(problem: Problem, closed: bool) -> str:
    if closed:
        return "gap closed"
    proof = "under the published arithmetic nothing is proven for so many modules"
    if not problem.published:
        proof = f"the bound is that of the {MAX_MODULES} heaviest modules"
    return f"local search over circulations ended; {proof}"
