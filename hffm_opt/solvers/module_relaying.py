"""Module relaying: methods by name, from requests to a relaying plan with its certificate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import pairwise
from typing import Any

from hffm_opt.errors import Finding, HffmError, InfeasibleError, InputError, LimitReachedError
from hffm_opt.plan.holders import RelayingProblem, misfit_of, nobody_holds
from hffm_opt.plan.model import Plan, ScenarioReference
from hffm_opt.plan.module_relaying import (
    ModuleTransfer,
    RelayHop,
    RelayingPlan,
    evaluate_relaying,
    requests_fingerprint,
)
from hffm_opt.solvers.certificate import certified
from hffm_opt.solvers.engines.highs_outcome import Status
from hffm_opt.solvers.formulations.module_relaying import ways_of
from hffm_opt.solvers.formulations.relaying_search import best_routes, enough_time
from hffm_opt.solvers.formulations.relaying_shares import Route, shares

GAP = 1e-6
_LINKS = "give the device D2D, a larger physics.d2d_range_m, or a cellular link"
Chooser = Callable[[RelayingProblem, int], Sequence[Route]]


@dataclass(frozen=True)
class RelayingMethod:
    """A way to choose holders and paths; ``place`` is ``module:function`` of a heuristic."""

    name: str
    summary: str
    place: str | None = None


_RULES = "hffm_opt.solvers.heuristics.requests"
RELAYING_METHODS: dict[str, RelayingMethod] = {
    method.name: method
    for method in (
        RelayingMethod("optimal", "best holders and paths with a proven bound"),
        RelayingMethod("best-fit", "the copy of least misfit, over its fastest path", f"{_RULES}.best_fit:best_fit"),
        RelayingMethod("nearest-holder", "the copy that comes fastest", f"{_RULES}.nearest_holder:nearest_holder"),
        RelayingMethod(
            "cloud-global", "the cloud's average, over its fastest path", f"{_RULES}.cloud_global:cloud_global"
        ),
        RelayingMethod("random-neighbour", "a drawn neighbour's copy", f"{_RULES}.random_neighbour:random_neighbour"),
        RelayingMethod("scratch", "no copy: every module begins untrained", f"{_RULES}.scratch:scratch"),
    )
}


def check_method(name: str, place: str = "--method") -> None:
    """Raise :class:`InputError` where no method of relaying has this name; ``place`` is where it was given."""
    if name not in RELAYING_METHODS:
        repair = f"use one of: {', '.join(RELAYING_METHODS)}"
        raise InputError.one(place, f"no method of relaying is named '{name}'", repair)


def plan_relaying(
    relaying: RelayingProblem,
    training: Plan,
    method: str = "optimal",
    *,
    seed: int = 0,
    gap: float = GAP,
    time_limit_s: float = 300.0,
    engine: str = "highs",
) -> RelayingPlan:
    """Choose holders and paths for all modules that are wanted after a round.

    Args:
        relaying: what is wanted (:func:`hffm_opt.plan.holders.relaying_problem`).
        training: the training plan that is run until then.
        method: a key of :data:`RELAYING_METHODS`.
        seed: for the method that draws.
        gap: relative gap at which ``optimal`` may stop.
        time_limit_s: its wall-clock limit.
        engine: a name in :data:`hffm_opt.solvers.engines.registry.ENGINES`.

    Raises:
        InputError: no such method, or nothing is asked for after this round.
        InfeasibleError: nobody holds a module, or no paths bring all before their deadlines; names what would.
        LimitReachedError: the time limit came before any plan.
    """
    check_method(method)
    if not relaying.wanted:
        message = f"nothing is wanted after round {relaying.number}"
        raise InputError.one("requests", message, "give requests of that round by which a device lacks a module")
    began = time.perf_counter()
    if method == "optimal":
        routes, bound, reason = _optimal(relaying, gap, time_limit_s, engine)
    else:
        refuse_unheld(relaying, method)
        place = RELAYING_METHODS[method].place
        assert place is not None
        module, _, function = place.partition(":")
        choose: Chooser = getattr(import_module(module), function)
        routes, bound, reason = tuple(choose(relaying, seed)), None, "heuristic: no proof sought"
    return _certified(relaying, training, method, routes, bound, reason, time.perf_counter() - began, gap)


def refuse_unheld(relaying: RelayingProblem, method: str) -> None:
    """Raise :class:`InfeasibleError` where a module is to be copied that nobody holds."""
    unheld = nobody_holds(relaying) if method != "scratch" else ()
    if unheld:
        raise InfeasibleError(
            Finding(
                f"requests.asked[{wanted.request}]",
                f"nobody holds module '{wanted.module}' after round {relaying.number}",
                "let another device train it first, or begin it untrained: --method scratch",
            )
            for wanted in unheld
        )


def _optimal(
    relaying: RelayingProblem, gap: float, time_limit_s: float, engine: str
) -> tuple[tuple[Route, ...], float, str]:
    refuse_unheld(relaying, "optimal")
    stuck = [_without_way(relaying, k) for k in range(len(relaying.wanted)) if not any(ways_of(relaying, k))]
    if stuck:
        raise InfeasibleError(stuck)
    found = best_routes(relaying, engine, gap, time_limit_s)
    if found.status is Status.INFEASIBLE:
        raise _too_late(relaying, engine, time_limit_s)
    if found.routes is None:
        raise LimitReachedError.one("--time-limit", f"no plan was found: {found.reason}", "allow more time")
    return found.routes, found.bound, str(found.reason)


def _without_way(relaying: RelayingProblem, k: int) -> Finding:
    """Return why no way is left for a transfer: fixed delays, or no links."""
    wanted = relaying.wanted[k]
    where = f"requests.asked[{wanted.request}]"
    patient = (*relaying.wanted[:k], replace(wanted, deadline_s=math.inf), *relaying.wanted[k + 1 :])
    least = min((way.delay_s for way in ways_of(replace(relaying, wanted=patient), k)), default=None)
    if least is None:
        return Finding(where, f"no path of links brings '{wanted.module}' from any holder", _LINKS)
    message = f"no path brings '{wanted.module}' within {wanted.deadline_s:g} s: fixed delays alone take longer"
    return Finding(where, message, f"give a later deadline, after more than {least:g} s")


def _too_late(relaying: RelayingProblem, engine: str, time_limit_s: float) -> HffmError:
    """Return the error that says what is in the way: missing links, or links too slow for the deadlines."""
    enough, where = enough_time(relaying, engine, time_limit_s), "requests.asked"
    if enough is None:
        message = "no path of links leads from any holder to every device that asks"
        return InfeasibleError.one(where, message, _LINKS)
    factor, binding = enough
    message = f"no paths bring all modules before their deadlines: '{binding}' is the bottleneck"
    repair = f"give deadlines {factor * 1.0001:.6g} times as long, or more bandwidth there"
    return InfeasibleError.one(where, message, repair)


def _transfers(relaying: RelayingProblem, routes: Sequence[Route]) -> Iterator[ModuleTransfer]:
    """Yield every transfer along its route, with the time of the links given out."""
    nodes = relaying.network.nodes
    for wanted, route, given in zip(relaying.wanted, routes, shares(relaying, routes), strict=True):
        names = [nodes[v] for v in route.nodes]
        hops = [
            RelayHop(source=source, target=target, share=share)
            for (source, target), share in zip(pairwise(names), given, strict=True)
        ]
        yield ModuleTransfer(
            device=nodes[wanted.device],
            module=wanted.module,
            source=names[0] if names else None,
            hops=tuple(hops),
            misfit=misfit_of(wanted, route.nodes[0]) if route.nodes else None,
        )


def _certified(
    relaying: RelayingProblem,
    training: Plan,
    method: str,
    routes: Sequence[Route],
    bound: float | None,
    reason: str,
    seconds: float,
    gap: float,
) -> RelayingPlan:
    """Let the referee judge routes, and return the plan with its certificate."""
    problem, transfers = relaying.problem, tuple(_transfers(relaying, routes))
    told = RelayingPlan(
        scenario=ScenarioReference.of(problem),
        requests=requests_fingerprint(problem.scenario),
        round=relaying.number,
        ran=relaying.ran,
        method=method,
        status="feasible",
        stop_reason=reason,
        objective=None,
        bound=bound,
        gap=None,
        seconds=seconds,
        latency_s=0.0,
        energy_j=0.0,
        misfit=0.0,
        transfers=transfers,
    )
    cost = evaluate_relaying(problem, told, training)
    value = (
        relaying.latency_weight * cost.latency_s
        + relaying.energy_weight * cost.energy_j
        + relaying.misfit_weight * cost.misfit
    )
    update: dict[str, Any] = {"latency_s": cost.latency_s, "energy_j": cost.energy_j, "misfit": cost.misfit}
    if bound is not None:
        if not cost.feasible:
            raise RuntimeError(f"{method}: the referee refuses the plan it proved: {cost.violations[0]}")
        update |= certified(method, value, bound, gap)
    # A module from scratch has no misfit that could be weighed, so that such a plan has no objective.
    weighed = cost.feasible and all(transfer.source is not None for transfer in transfers)
    update["objective"] = value if weighed else None
    if not cost.feasible:
        update["status"] = "infeasible"
    return told.model_copy(update=update)
