"""All planning methods by name, and the one way to call them: every outcome has passed the referee."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from hffm_opt.errors import InputError, one_of
from hffm_opt.plan.circulation import Circulation
from hffm_opt.plan.model import Plan
from hffm_opt.plan.outcome import Outcome, Status
from hffm_opt.plan.referee import evaluate_plan
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.certificate import certificate
from hffm_opt.solvers.heuristics.catalogue import GRAMMAR, composition_named
from hffm_opt.solvers.heuristics.compose import compose, composed_circulation
from hffm_opt.solvers.request import Certified, Request, default_request

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Method:
    """A planning method: what it does, where the idea is from, whether it proves a bound, whether it draws.

    ``place`` is the module and function of a method that is no composition (see :mod:`.heuristics.catalogue`). A method
    that is ``drawn`` follows the request's seed, so that one seed tells little.
    """

    name: str
    summary: str
    source: str
    place: str | None = None
    exact: bool = False
    drawn: bool = False


_PUBLISHED = "arXiv 2509.03695"
_SEARCH = "hffm_opt.solvers.heuristics.search"
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("star", "all to the cloud each round", _PUBLISHED),
        Method("edge-only", "edge average each round", _PUBLISHED),
        Method("edge-only+d2d", "random head each round", _PUBLISHED, drawn=True),
        Method("h-fedfm-2", "edge each round, cloud every 2", _PUBLISHED),
        Method("h-fedfm-8", "edge each round, cloud every 8", _PUBLISHED),
        Method("h-fedfm-2+d2d", "random head, cloud every 2", _PUBLISHED, drawn=True),
        Method("h-fedfm-8+d2d", "random head, cloud every 8", _PUBLISHED, drawn=True),
        Method("h-fedfm-max", "edge each round, cloud as seldom as drift allows", _PUBLISHED),
        Method("h-fedfm-max+proportional", "the same, bands by payload", "docs/methods.md"),
        Method("h-fedfm-max+inversion", "the same, powers by channel inversion", "Goldsmith 2005, 4.2.4"),
        Method("h-fedfm-max+random-head", "random head, shortest paths that sum", "arXiv 2509.03695", drawn=True),
        Method("h-fedfm-max+centroid-head", "central head, shortest paths that sum", "docs/methods.md"),
        Method("h-fedfm-max+best-head", "head of best uplink, shortest paths that sum", "Dijkstra 1959"),
        Method("h-fedfm-max+best-head+mst", "the same along the minimum spanning tree", "Prim 1957"),
        Method("h-fedfm-max+best-head+star", "the same straight to the head", "docs/methods.md"),
        Method("fedlama", "modules of little divergence less often", "arXiv 2110.10302"),
        Method("fedlama+best-head", "the same through the head of best uplink", "arXiv 2110.10302"),
        Method("adaptive-tau", "each module's period by its convergence bound", "arXiv 1804.05271"),
        Method("adaptive-tau+best-head", "the same through the head of best uplink", "arXiv 1804.05271"),
        Method("relaxed-circulation", "convex periods rounded, head of best uplink", "docs/formulations.md"),
        Method("mh-fl", "consensus in clusters, one drawn device uploads", "arXiv 2007.09511", drawn=True),
        Method("x-learning", "heads walk at random over D2D links", "arXiv 2509.03709", drawn=True),
        Method(
            "greedy",
            "circulation, routes, allocation one after the other",
            "docs/methods.md",
            f"{_SEARCH}.greedy:greedy",
        ),
        Method(
            "local-search",
            "better and better from greedy on",
            "docs/methods.md",
            f"{_SEARCH}.local_search:local_search",
            drawn=True,
        ),
        Method(
            "optimal", "best plan with a proven bound", "docs/formulations.md", "hffm_opt.solvers.optimal:optimal", True
        ),
    )
}


def method_named(name: str) -> Method:
    """Return a method: a listed one, or any other composition that the catalogue can make of the name.

    Raises:
        InputError: there is none of this name.
    """
    if name in METHODS:
        return METHODS[name]
    parts = composition_named(name)
    if parts is None:
        repair = f"{one_of(name, METHODS)}; or compose one: {GRAMMAR}"
        raise InputError.one("--method", f"no method is named '{name}'", repair)
    return Method(name, "a composition", "docs/methods.md", drawn=parts.drawn)


def circulation_named(problem: Problem, name: str, max_drift: float | None = None) -> Circulation:
    """Return the circulation of a heuristic, to hold it fixed.

    Args:
        problem: the compiled scenario.
        name: a composition's name.
        max_drift: the limit on Phi that an adapting circulation keeps, in place of the scenario's.

    Raises:
        InputError: the name is not that of a heuristic with a circulation of its own.
    """
    parts = composition_named(name)
    if parts is None:
        rows = [key for key in METHODS if composition_named(key) is not None]
        repair = one_of(name, rows)
        raise InputError.one("--circulation", f"'{name}' is not a baseline's row", repair)
    return composed_circulation(problem, default_request(problem.scenario, max_drift=max_drift), parts)


def replanner(problem: Problem, name: str, request: Request) -> Callable[[Circulation], Plan]:
    """Return what plans a composition's heads, routes and allocation under any circulation.

    Args:
        problem: the compiled scenario.
        name: a composition's name; its own circulation is left aside.
        request: objective, limits and seed.

    Raises:
        InputError: the name is not that of a composition.
    """
    parts = composition_named(name)
    if parts is None:
        raise InputError.one("--method", f"'{name}' is no composition of rules", f"compose one: {GRAMMAR}")

    def plan(circulation: Circulation) -> Plan:
        return compose(problem, request, replace(parts, circulation=lambda *_: circulation), name)

    return plan


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
    started = time.perf_counter()
    if method.exact:
        return certify(problem, request, name, _function_of(method)(problem, request, progress))
    if request.circulation is not None:
        raise InputError.one(
            "--circulation", f"'{name}' has its own circulation", "use it with an optimising method, e.g. optimal"
        )
    parts = composition_named(name)
    plan = _function_of(method)(problem, request) if parts is None else compose(problem, request, parts, name)
    return judged(problem, request, name, plan, time.perf_counter() - started)


def judged(problem: Problem, request: Request, name: str, plan: Plan, seconds: float) -> Outcome:
    """Return the outcome of a plan that nothing is proven about, whoever made it in so many wall-clock seconds."""
    decided = ("circulation", "association", "heads", "trees", "uplinks", "allocation")
    certified = Certified(plan, None, "heuristic: no proof sought", seconds, (), decided)
    return certify(problem, request, name, certified)


def _function_of(method: Method) -> Callable[..., Any]:
    assert method.place is not None
    module, _, function = method.place.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def certify(problem: Problem, request: Request, name: str, certified: Certified) -> Outcome:
    """Let the referee judge a plan, and return the outcome with its certificate."""
    verdict = evaluate_plan(problem, certified.plan, request.max_drift)
    within = (request.max_latency_s is None or verdict.latency_s <= request.max_latency_s * (1 + 1e-6)) and (
        request.max_energy_j is None or verdict.energy_j <= request.max_energy_j * (1 + 1e-6)
    )
    value = request.value(verdict.latency_s, verdict.energy_j, verdict.drift)
    feasible = bool(verdict.feasible and within and math.isfinite(value))
    rounds = request.rounds_to_target(verdict.drift)
    gap = None
    status: Status = "feasible" if feasible else "infeasible"
    bound = certified.bound
    if bound is not None:
        if not feasible:
            first = next(iter(verdict.violations), request.out_of_reach(verdict.drift)) or "a limit of the request"
            raise RuntimeError(f"{name}: the referee refuses the plan it proved: {first}")
        bound, gap = certificate(name, value, bound)
        # A search that stops as soon as the gap is closed may leave the last digit of it.
        status = "optimal" if gap <= request.gap * (1 + 1e-6) else "feasible"
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
        target=request.target if request.aims_at_accuracy else None,
        rounds_to_target=rounds if rounds is not None and math.isfinite(rounds) else None,
    )
