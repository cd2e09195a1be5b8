"""All planning methods by name, and the one way to call them: every outcome has passed the referee."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from hffm_opt.errors import InputError
from hffm_opt.plan.circulation import Circulation, uniform
from hffm_opt.plan.outcome import Outcome, Status, relative_gap
from hffm_opt.plan.referee import evaluate_plan
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.request import Certified, Request

Periods = tuple[int | None, int | None, int | None]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Method:
    """A planning method: where it lives, what it does, and whether it proves a bound.

    ``circulation`` is the uniform (d2d, edge, cloud) circulation of a baseline, which other methods can hold fixed.
    """

    name: str
    summary: str
    source: str
    place: str
    exact: bool = False
    circulation: Periods | None = None


_PUBLISHED = "arXiv 2509.03695"
_CELLULAR = "hffm_opt.solvers.heuristics.cellular"
_D2D = "hffm_opt.solvers.heuristics.published_d2d"
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("star", "all to the cloud each round", _PUBLISHED, f"{_CELLULAR}:star", False, (None, None, 1)),
        Method("edge-only", "edge average each round", _PUBLISHED, f"{_CELLULAR}:edge_only", False, (None, 1, None)),
        Method("edge-only+d2d", "random head each round", _PUBLISHED, f"{_D2D}:edge_only_d2d", False, (1, None, None)),
        Method(
            "h-fedfm-2", "edge each round, cloud every 2", _PUBLISHED, f"{_CELLULAR}:h_fedfm_2", False, (None, 1, 2)
        ),
        Method(
            "h-fedfm-8", "edge each round, cloud every 8", _PUBLISHED, f"{_CELLULAR}:h_fedfm_8", False, (None, 1, 8)
        ),
        Method("h-fedfm-2+d2d", "random head, cloud every 2", _PUBLISHED, f"{_D2D}:h_fedfm_2_d2d", False, (1, None, 2)),
        Method("h-fedfm-8+d2d", "random head, cloud every 8", _PUBLISHED, f"{_D2D}:h_fedfm_8_d2d", False, (1, None, 8)),
        Method("optimal", "best plan with a proven bound", "DESIGN 6.4", "hffm_opt.solvers.optimal:optimal", True),
    )
}


def method_named(name: str) -> Method:
    """Return a method.

    Raises:
        InputError: there is none of this name.
    """
    if name not in METHODS:
        raise InputError.one("--method", f"no method is named '{name}'", f"use one of: {', '.join(METHODS)}")
    return METHODS[name]


def circulation_named(problem: Problem, name: str) -> Circulation:
    """Return a baseline's circulation, to hold it fixed.

    Raises:
        InputError: the name is not a baseline's.
    """
    rows = {key: method.circulation for key, method in METHODS.items() if method.circulation is not None}
    if name not in rows:
        raise InputError.one("--circulation", f"'{name}' is not a baseline's row", f"use one of: {', '.join(rows)}")
    return uniform(problem, *rows[name])


def solve(problem: Problem, name: str, request: Request, progress: Progress | None = None) -> Outcome:
    """Run a method and return its plan with the referee's figures.

    Args:
        problem: the compiled scenario.
        name: a key of :data:`METHODS`.
        request: objective, limits, stopping rule.
        progress: told what a long search is doing.

    Raises:
        InputError, InfeasibleError, LimitReachedError: as the method finds.
    """
    method = method_named(name)
    module, _, function = method.place.partition(":")
    run = getattr(import_module(module), function)
    started = time.perf_counter()
    if method.exact:
        return certify(problem, request, name, run(problem, request, progress))
    if request.circulation is not None:
        raise InputError.one(
            "--circulation", f"'{name}' has its own circulation", "use it with an optimising method, e.g. optimal"
        )
    plan = run(problem, request)
    decided = ("circulation", "association", "heads", "trees", "uplinks", "allocation")
    certified = Certified(plan, None, "heuristic: no proof sought", time.perf_counter() - started, (), decided)
    return certify(problem, request, name, certified)


def certify(problem: Problem, request: Request, name: str, certified: Certified) -> Outcome:
    """Let the referee judge a plan, and return the outcome with its certificate."""
    verdict = evaluate_plan(problem, certified.plan, request.max_drift)
    within = (request.max_latency_s is None or verdict.latency_s <= request.max_latency_s * (1 + 1e-6)) and (
        request.max_energy_j is None or verdict.energy_j <= request.max_energy_j * (1 + 1e-6)
    )
    feasible = bool(verdict.feasible and within)
    value = request.value(verdict.latency_s, verdict.energy_j, verdict.drift)
    gap = None
    status: Status = "feasible" if feasible else "infeasible"
    bound = certified.bound
    if bound is not None:
        if not feasible:
            first = verdict.violations[0] if verdict.violations else "a limit of the request"
            raise RuntimeError(f"{name}: the referee refuses the plan it proved: {first}")
        # Rounding between the solver's figures and the referee's must not make a bound exceed the value.
        if bound > value * (1 + 1e-6) + 1e-12:
            raise RuntimeError(f"{name}: proven bound {bound!r} exceeds the referee's value {value!r}")
        bound = min(bound, value)
        gap = relative_gap(value, bound)
        status = "optimal" if gap <= request.gap else "feasible"
        if status == "feasible" and certified.limited:
            status = "limit"
    return Outcome(
        method=name,
        objective_name=request.objective,
        weights=request.weights(),
        status=status,
        stop_reason=certified.stop_reason,
        objective=value if feasible else None,
        bound=bound,
        gap=gap,
        seconds=certified.seconds,
        feasible=feasible,
        latency_s=verdict.latency_s,
        energy_j=verdict.energy_j,
        drift=verdict.drift,
        optimised=certified.optimised,
        fixed=certified.fixed,
        planning_fingerprint=problem.scenario.planning_fingerprint(),
        plan=certified.plan,
    )
