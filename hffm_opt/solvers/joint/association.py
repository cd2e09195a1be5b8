"""The joint plan where each device's edge is chosen too.

A handful of associations is listed and each is planned with its own proof. Otherwise local search proposes associations
(:mod:`.association_search`), each is planned as if it were given, and what no association can beat is proven by the
network taken as one cell (:mod:`.association_bound`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from hffm_opt.errors import InfeasibleError, InputError, LimitReachedError
from hffm_opt.plan.circulation import drift, top_kind
from hffm_opt.plan.referee import evaluate_plan
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.circulation_table import MOST, CirculationTable, table_rows
from hffm_opt.solvers.formulations.weights import State, Weights
from hffm_opt.solvers.joint.association_bound import AssociationFloor
from hffm_opt.solvers.joint.association_search import improved_association
from hffm_opt.solvers.joint.states import all_states, first_at_cloud, states_of
from hffm_opt.solvers.request import Certified, Request
from hffm_opt.steps import Step

Progress = Callable[[str], None]
Planner = Callable[[Problem, Request, Progress | None], Certified]
MOST_LISTED = 64
"""Associations up to which each is planned."""
PASSES = 2
"""How often local search goes on from the best plan so far."""


def plan_with_association(
    problem: Problem, request: Request, weights: Weights, planner: Planner, progress: Progress | None
) -> Certified:
    """Return the best plan found over associations, with a bound that holds for all of them.

    Args:
        problem: the problem with the association to start from.
        request: what is asked for.
        weights: its limit on Phi.
        planner: plans a problem whose association is given.
        progress: told what the search is doing.

    Raises:
        InputError: the published arithmetic, whose association is given.
        InfeasibleError, LimitReachedError: as the planner, for every association.
    """
    if problem.published:
        raise InputError.one("planning.association", "the published arithmetic has its association given", "use null")
    started = time.perf_counter()
    listed = len(problem.scenario.edges) ** len(problem.scenario.devices) <= MOST_LISTED
    best: Certified | None = None
    value, failure = np.inf, None
    own_bounds: list[float] = []
    tried: set[tuple[tuple[str, tuple[str, ...]], ...]] = set()

    def words(text: str) -> None:
        # The figures are those of one association, whose bound does not hold for the others.
        if progress is not None:
            progress(str(text))

    def consider(trial: Problem) -> None:
        nonlocal best, value, failure
        tried.add(_cells(trial))
        left = request.time_limit_s - (time.perf_counter() - started)
        try:
            found = planner(trial, replace(request, time_limit_s=max(left, 0.0)), words)
        except (InfeasibleError, LimitReachedError) as error:
            failure = error
            # Where a search ended without a plan nothing is proven, but that no cost is below 0.
            own_bounds.append(np.inf if isinstance(error, InfeasibleError) else 0.0)
            return
        assert found.bound is not None
        own_bounds.append(found.bound)
        verdict = evaluate_plan(problem, found.plan, request.max_drift)
        cost = request.value(verdict.latency_s, verdict.energy_j, verdict.drift)
        if cost < value:
            best, value = found, cost
        if progress is not None:
            progress(Step(f"association {len(tried)}: {cost:.6g}", value=value))

    for trial in _every_association(problem) if listed else [problem]:
        consider(trial)
    if not listed:
        at = problem
        for _ in range(PASSES):
            if time.perf_counter() - started >= request.time_limit_s:
                break
            deadline = _round_seconds(problem, best) if best is not None else 1.0
            at = build_problem(problem.scenario, improved_association(at, request.weights()[:2], deadline))
            if _cells(at) in tried:
                break
            consider(at)
    if best is None:
        raise failure or LimitReachedError.one("--time-limit", "no association was planned", "allow more time")
    proven = max(min(own_bounds) if listed else _floor(problem, request, weights), 0.0)
    gap = (value - proven) / max(abs(value), 1e-300)
    closed = gap <= request.gap
    fixed = tuple(name for name in best.fixed if name != "association")
    return Certified(
        plan=best.plan,
        bound=proven,
        stop_reason=(
            f"gap closed over {len(tried)} associations"
            if closed
            else "every association was planned; what remains is the gap of the best"
            if listed
            else "local search over associations ended; the bound holds for all of them"
        ),
        seconds=time.perf_counter() - started,
        optimised=("association", *best.optimised),
        fixed=fixed,
        limited=time.perf_counter() - started >= request.time_limit_s,
    )


def _every_association(problem: Problem) -> Iterator[Problem]:
    """Yield the problem with each device at each edge."""
    devices = [device.name for device in problem.scenario.devices]
    for pick in product([edge.name for edge in problem.scenario.edges], repeat=len(devices)):
        yield build_problem(problem.scenario, dict(zip(devices, pick, strict=True)))


def _cells(problem: Problem) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((cell.edge.name, cell.names) for cell in problem.cells)


def _round_seconds(problem: Problem, best: Certified) -> float:
    """Return the latency per round of a plan, as the deadline around which a star is priced."""
    return float(evaluate_plan(problem, best.plan, np.inf).latency_s) or 1.0


def _floor(problem: Problem, request: Request, weights: Weights) -> float:
    """Return a proven lower bound on the objective over all associations and circulations (no limits but Phi's)."""
    floor = AssociationFloor(problem)
    latency, energy, penalty = request.weights()
    planning = problem.scenario.planning
    if request.circulation is not None:
        top = top_kind(request.circulation)
        states = states_of(request.circulation, top)
        calendar = Calendar.of(problem, top, first_at_cloud(states))
        costs = max(
            sum(_support(floor, calendar, j, s, latency, energy, share) for j, s in enumerate(states))
            for share in floor.shares(latency, energy)
        )
        phi = drift(problem, request.circulation)
        return weights.factor(phi) * costs + penalty * phi
    if table_rows(problem) > MOST:
        return 0.0
    table = CirculationTable.of(problem, all_states(problem), replace(weights, drift=penalty))
    top = max(planning.periods).bit_length() - 1
    least = np.inf
    for first in table.firsts():
        calendar = Calendar.of(problem, top, first)
        rows = table.with_first(first)
        proven = np.full(rows.size, -np.inf)
        for share in floor.shares(latency, energy):

            def values(kind: int, state: State, calendar: Calendar = calendar, share: Floats = share) -> float:
                return _support(floor, calendar, kind, state, latency, energy, share)

            proven = np.maximum(proven, table.cost_floors(rows, values, 0.0))
        least = min(least, float(table.priced(rows, proven).min()))
    return least


def _support(
    floor: AssociationFloor,
    calendar: Calendar,
    kind: int,
    state: State,
    latency: float,
    energy: float,
    share: Floats,
) -> float:
    rounds = float(calendar.counts[kind] / calendar.length)
    after = rounds * latency * (kind in calendar.endings)
    return floor.support(state, rounds * latency, after, rounds * energy, share)
