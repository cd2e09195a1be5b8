"""Methods that place inference by name, each judged by the referee and returned with its certificate."""

from __future__ import annotations

import time

import numpy as np

from hffm_opt.errors import InputError, one_of
from hffm_opt.plan.inference.model import ClassPlan, InferenceOutcome, InferencePlan
from hffm_opt.plan.inference.network import InferenceProblem
from hffm_opt.plan.inference.referee import evaluate_inference
from hffm_opt.plan.outcome import Status
from hffm_opt.solvers.certificate import certificate, within
from hffm_opt.solvers.heuristics.chains.fixed import fixed_rules
from hffm_opt.solvers.heuristics.chains.greedy import greedy

OPTIMAL, GREEDY = "optimal", "greedy"
DEFAULT_GAP = 1e-4


def method_names(inference: InferenceProblem) -> tuple[str, ...]:
    """Return the names of all methods for a problem; splits depend on its chains."""
    return (OPTIMAL, GREEDY, *fixed_rules(inference))


def place_inference(
    inference: InferenceProblem,
    method: str = OPTIMAL,
    *,
    weights: tuple[float, float] | None = None,
    engine: str = "highs",
    gap: float = DEFAULT_GAP,
    time_limit_s: float = np.inf,
) -> InferenceOutcome:
    """Place all request classes by one method.

    Args:
        inference: the problem, as :func:`hffm_opt.plan.inference.build_inference` returns it.
        method: one of :func:`method_names`.
        weights: per second and joule of a mean request, in place of the scenario's.
        engine: which engine solves the program of ``optimal``.
        gap: relative gap at which it may stop.
        time_limit_s: its wall-clock limit.

    Raises:
        InputError: unknown method or engine.
        InfeasibleError: ``optimal``: proven that no placement keeps the limits.
        LimitReachedError: ``optimal``: the limit came before any placement.
    """
    weights = weights or (inference.section.latency_weight, inference.section.energy_weight)
    started, bound, reason, limited = time.perf_counter(), None, "heuristic: no proof sought", False
    rules = fixed_rules(inference)
    if method == OPTIMAL:
        from hffm_opt.solvers.formulations.chain_placement import place

        classes, bound, outcome = place(inference, weights, engine=engine, gap=gap, time_limit_s=time_limit_s)
        reason, limited = str(outcome.stop_reason), outcome.stop_reason != "gap closed"
    elif method == GREEDY:
        classes = greedy(inference, weights)
    elif method in rules:
        classes = rules[method](inference)
    else:
        known = (OPTIMAL, GREEDY, *rules)
        raise InputError.one("--method", f"no method is named '{method}'", one_of(method, known))
    seconds = time.perf_counter() - started
    return _certified(inference, method, classes, weights, bound, reason, limited, gap, seconds)


def _certified(
    inference: InferenceProblem,
    method: str,
    classes: tuple[ClassPlan, ...],
    weights: tuple[float, float],
    bound: float | None,
    reason: str,
    limited: bool,
    tolerance: float,
    seconds: float,
) -> InferenceOutcome:
    """Let the referee judge a placement, and return the outcome."""
    plan = InferencePlan(
        scenario=inference.reference, method=method, uncertainty=inference.section.uncertainty, classes=classes
    )
    verdict = evaluate_inference(inference, plan)
    value, gap = verdict.objective(*weights), None
    status: Status = "feasible" if verdict.feasible else "infeasible"
    if bound is not None:
        if not verdict.feasible:
            raise RuntimeError(f"{method}: the referee refuses the placement it proved: {verdict.violations[0]}")
        bound, gap = certificate(method, value, bound)
        status = "optimal" if within(gap, tolerance) else "limit" if limited else "feasible"
    return InferenceOutcome(
        method=method,
        weights=weights,
        status=status,
        stop_reason=reason,
        objective=value if verdict.feasible else None,
        bound=bound,
        gap=gap,
        seconds=seconds,
        feasible=verdict.feasible,
        latency_s=verdict.latency_s,
        energy_j=verdict.energy_j,
        optimised=("placement",) if bound is not None else (),
        fixed=("routes", "allocation", "exits")
        if bound is not None
        else ("placement", "routes", "allocation", "exits"),
        plan=plan,
    )
