"""Specialisation: methods by name, from a scenario's section to a placement plan with its certificate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from hffm_opt.errors import InfeasibleError, InputError, LimitReachedError
from hffm_opt.plan.model import ScenarioReference
from hffm_opt.plan.placement import PlacementPlan, PlacementProblem
from hffm_opt.plan.placement_referee import evaluate_placement
from hffm_opt.problem.model import Bools
from hffm_opt.solvers.certificate import certified
from hffm_opt.solvers.engines.highs_outcome import Status
from hffm_opt.solvers.engines.pyomo_engine import solve_model
from hffm_opt.solvers.formulations.placement import Hosting, build, read
from hffm_opt.solvers.heuristics.experts.everyone import everyone
from hffm_opt.solvers.heuristics.experts.random_specialists import random_specialists
from hffm_opt.solvers.heuristics.experts.served import served_by

GAP = 1e-3
"""The relative gap at which ``optimal`` stops by default."""
PLACEMENT_METHODS = {
    "optimal": "best placement with a proven bound",
    "everyone": "every device trains every expert that it uses",
    "random-specialists": "every device trains experts drawn at random, as many as fit",
}
_RULES: dict[str, Callable[[PlacementProblem, int], Bools]] = {
    "everyone": everyone,
    "random-specialists": random_specialists,
}


def plan_placement(
    placing: PlacementProblem,
    method: str = "optimal",
    *,
    seed: int = 0,
    gap: float = GAP,
    time_limit_s: float = 300.0,
    engine: str = "highs",
) -> PlacementPlan:
    """Choose which device trains which expert, which edge server keeps whose copy, and who fetches from whom.

    Args:
        placing: what is to be placed (:func:`hffm_opt.plan.placement.placement_problem`).
        method: a key of :data:`PLACEMENT_METHODS`.
        seed: for the method that draws.
        gap: relative gap at which ``optimal`` may stop.
        time_limit_s: its wall-clock limit.
        engine: a name in :data:`hffm_opt.solvers.engines.registry.ENGINES`.

    Raises:
        InputError: no such method.
        InfeasibleError: no placement keeps the limits, or a rule leaves a device without an expert that it uses.
        LimitReachedError: the time limit came before any.
    """
    if method not in PLACEMENT_METHODS:
        repair = f"use one of: {', '.join(PLACEMENT_METHODS)}"
        raise InputError.one("--method", f"no method of placement is named '{method}'", repair)
    began = time.perf_counter()
    bound, reason = None, "heuristic: no proof sought"
    if method == "optimal":
        program = build(placing)
        outcome = solve_model(program.model, engine, gap=gap, time_limit_s=time_limit_s)
        if outcome.status is Status.INFEASIBLE:
            message = "no placement keeps room, time and experts_per_device, and lets every device have every expert"
            raise InfeasibleError.one("specialise", message, "allow more experts per device, more memory or more time")
        if not math.isfinite(outcome.objective):
            raise LimitReachedError.one("--time-limit", f"nothing was found: {outcome.stop_reason}", "allow more time")
        placed, bound, reason = read(program), outcome.bound, str(outcome.stop_reason)
    else:
        placed = served_by(placing, _RULES[method](placing, seed))
    return _certified(placing, method, placed, bound, reason, time.perf_counter() - began, gap)


def _certified(
    placing: PlacementProblem,
    method: str,
    placed: Hosting,
    bound: float | None,
    reason: str,
    seconds: float,
    gap: float,
) -> PlacementPlan:
    hosts, caches, fetches = placed
    plan = PlacementPlan(
        scenario=ScenarioReference.of(placing.problem),
        method=method,
        status="feasible",
        stop_reason=reason,
        objective=None,
        bound=bound,
        gap=None,
        seconds=seconds,
        train_j=0.0,
        transfer=0.0,
        misfit=0.0,
        hosts=hosts,
        caches=caches,
        fetches=fetches,
    )
    cost = evaluate_placement(placing, plan)
    figures: dict[str, object] = {"train_j": cost.train_j, "transfer": cost.transfer, "misfit": cost.misfit}
    figures["mixing"] = cost.mixing
    if cost.violations:
        if bound is not None:
            raise RuntimeError(f"{method}: the referee refuses the placement it proved: {cost.violations[0]}")
        return plan.model_copy(update=figures | {"status": "infeasible", "stop_reason": str(cost.violations[0])})
    figures["objective"] = cost.value
    if bound is not None:
        figures |= certified(method, cost.value, bound, gap)
    return plan.model_copy(update=figures)
