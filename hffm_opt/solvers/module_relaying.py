"""Module relaying: methods by name, from requests to a relaying plan with its certificate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

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
from hffm_opt.solvers.engines.pyomo_engine import solve_model
from hffm_opt.solvers.formulations.module_relaying import RelayingProgram, Route, build, read, ways_of

GAP = 1e-6
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
    if method not in RELAYING_METHODS:
        repair = f"use one of: {', '.join(RELAYING_METHODS)}"
        raise InputError.one("--method", f"no method of relaying is named '{method}'", repair)
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
    stuck = [
        Finding(
            f"requests.asked[{wanted.request}]",
            f"no path brings '{wanted.module}' within {wanted.deadline_s:g} s: fixed delays alone take longer",
            "give a later deadline",
        )
        for k, wanted in enumerate(relaying.wanted)
        if not any(True for _ in ways_of(relaying, k))
    ]
    if stuck:
        raise InfeasibleError(stuck)
    program = build(relaying)
    outcome = solve_model(program.model, engine, gap=gap, time_limit_s=time_limit_s)
    if outcome.status is Status.INFEASIBLE:
        raise _too_late(relaying, engine, time_limit_s)
    if not math.isfinite(outcome.objective):
        raise LimitReachedError.one("--time-limit", f"no plan was found: {outcome.stop_reason}", "allow more time")
    return read(program), outcome.bound, str(outcome.stop_reason)


def _too_late(relaying: RelayingProblem, engine: str, time_limit_s: float) -> HffmError:
    """Return the error that says what is in the way: missing links, or links too slow for the deadlines."""
    program: RelayingProgram = build(relaying, least_load=True)
    outcome = solve_model(program.model, engine, gap=1e-4, time_limit_s=time_limit_s)
    where = "requests.asked"
    if not math.isfinite(outcome.objective):
        message = "no path of links leads from any holder to every device that asks"
        return InfeasibleError.one(
            where, message, "give the device D2D, a larger physics.d2d_range_m, or a cellular link"
        )
    load = _loads(relaying, read(program))
    binding = relaying.network.resources[int(np.argmax(load))]
    message = f"no paths bring all modules before their deadlines: '{binding}' is the bottleneck"
    # A deadline's fixed delays do not grow with it, so that this factor suffices.
    repair = f"give deadlines {outcome.objective * 1.0001:.4g} times as long, or more bandwidth there"
    return InfeasibleError.one(where, message, repair)


def delay_of(relaying: RelayingProblem, k: int, arcs: Sequence[int]) -> float:
    """Return the fixed delay of a transfer's path in s."""
    return float(relaying.network.delay_s[list(arcs)].sum()) if arcs and relaying.wanted[k].bits else 0.0


def _airtime(relaying: RelayingProblem, k: int, arcs: Sequence[int]) -> list[float]:
    """Return the share of its resource's time that each hop needs to end at the deadline."""
    wanted = relaying.wanted[k]
    # Where delays alone take longer than the deadline no share helps; the referee then says by how much it is late.
    window = max(wanted.deadline_s - delay_of(relaying, k, arcs), 1e-3 * wanted.deadline_s)
    return [max(wanted.bits, 1e-9) * float(relaying.network.s_per_bit[a]) / window for a in arcs]


def _loads(relaying: RelayingProblem, routes: Sequence[Route]) -> np.ndarray[Any, np.dtype[np.float64]]:
    network = relaying.network
    load = np.zeros(len(network.resources))
    for k, route in enumerate(routes):
        arcs = route.arcs(network)
        np.add.at(load, network.resource[arcs], _airtime(relaying, k, arcs))
    return load


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
    """Give out the time of the links, and let the referee judge."""
    network, problem = relaying.network, relaying.problem
    load = float(_loads(relaying, routes).max(initial=0.0)) or 1.0
    transfers = []
    for k, (wanted, route) in enumerate(zip(relaying.wanted, routes, strict=True)):
        arcs = route.arcs(network)
        names = [network.nodes[v] for v in route.nodes]
        shares = [share / load for share in _airtime(relaying, k, arcs)]
        hops = [
            RelayHop(source=source, target=target, share=share)
            for source, target, share in zip(names, names[1:], shares, strict=False)
        ]
        transfers.append(
            ModuleTransfer(
                device=network.nodes[wanted.device],
                module=wanted.module,
                source=names[0] if names else None,
                hops=tuple(hops),
                misfit=misfit_of(wanted, route.nodes[0]) if route.nodes else None,
            )
        )
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
        transfers=tuple(transfers),
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
