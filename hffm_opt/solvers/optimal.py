"""The optimal method: circulation, heads, trees and (where it is free) allocation, with a proven bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hffm_opt.errors import InfeasibleError
from hffm_opt.plan.circulation import Tier, drift, top_kind
from hffm_opt.plan.model import Plan
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.circulation import Master
from hffm_opt.solvers.formulations.circulation_table import MOST, CirculationTable, few_circulations, table_rows
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.drift_search import search_by_drift
from hffm_opt.solvers.joint.fixed import judge_with, plan_from, plan_of
from hffm_opt.solvers.joint.fixed_rounds import FixedRounds
from hffm_opt.solvers.joint.infeasible import explain, rounded_up
from hffm_opt.solvers.joint.search import Found, Judge, Judged, Tell, search
from hffm_opt.solvers.joint.states import MAX_MODULES, State, first_at_cloud, possible_states, states_of, unclustered
from hffm_opt.solvers.joint.table_search import TableSearch
from hffm_opt.solvers.joint.telling import reason_in_words, telling, without_plan
from hffm_opt.solvers.request import Certified, Request, drift_limit

if TYPE_CHECKING:
    from hffm_opt.solvers.joint.allocated import AllocatedRounds

ROOM = 2e-7
"""Share by which limits are widened under free allocation, a part of what the referee tolerates: rounding must not
decide whether a limit can be kept."""
Progress = Callable[[str], None]
"""Told what the search is doing, in words."""


LEAST_LIMIT = 1e-9
"""Limits are scaled to one inside the programs, so 0 stands as a nanosecond or a nanojoule."""


def weights_of(problem: Problem, request: Request) -> Weights:
    """Return the limits that a request puts on this problem, and its weights with the largest scaled to one.

    The engines' tolerances are absolute, so a proof must not depend on the unit of the objective.
    """
    unit = weight_unit(request)
    latency, energy, penalty = (weight / unit for weight in request.weights())
    aim = request.aim
    room = 1.0 if problem.fixed_allocation else 1.0 + ROOM
    return Weights(
        latency,
        energy,
        penalty,
        np.inf if request.max_latency_s is None else max(request.max_latency_s * room, LEAST_LIMIT),
        np.inf if request.max_energy_j is None else max(request.max_energy_j * room, LEAST_LIMIT),
        drift_limit(problem, request),
        None if aim is None else partial(aim[0].rounds_to, aim[1]),
    )


def weight_unit(request: Request) -> float:
    """Return the larger of a request's weights on latency and energy, by which the search divides the objective."""
    return max(request.weights()[:2])


class Space:
    """The decision space of a problem: cells' rounds, judges of circulations, and the way back to a plan.

    What it learns of the cells' rounds holds for every objective and limit, so that searches may share it.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.rounds: FixedRounds | AllocatedRounds
        if problem.fixed_allocation:
            self.rounds = FixedRounds(problem)
        else:
            # The conic engine takes a second to load, and only free allocation needs it.
            from hffm_opt.solvers.joint.allocated import AllocatedRounds

            self.rounds = AllocatedRounds(problem)

    def judge(self, request: Request) -> Judge:
        """Return a judge that keeps to the gap of a request, and from now on to its time limit."""
        if isinstance(self.rounds, FixedRounds):
            return judge_with(self.problem, self.rounds, request.gap / 4)
        from hffm_opt.solvers.joint.free import judge_allocated

        deadline = time.perf_counter() + request.time_limit_s
        return judge_allocated(self.problem, self.rounds, request.gap, deadline)

    def plan(self, judged: Judged, method: str) -> Plan:
        """Return the plan of a judged circulation."""
        if isinstance(self.rounds, FixedRounds):
            return plan_of(self.problem, self.rounds, judged, method)
        from hffm_opt.solvers.joint.free import cells_of

        return plan_from(self.problem, judged, method, cells_of(self.problem, self.rounds, judged))

    def refined(self, found: Found, weights: Weights, gap: float) -> Judged:
        """Return the best circulation with its final allocation: another engine's, where a gap is left to close."""
        assert found.best is not None and found.calendar is not None
        if isinstance(self.rounds, FixedRounds) or found.best.value - found.bound <= gap * abs(found.best.value):
            return found.best
        from hffm_opt.solvers.joint.free import polished

        return polished(self.problem, self.rounds, found.best, found.calendar.first, weights)

    def search(self, weights: Weights, request: Request, judge: Judge, tell: Tell | None) -> Found:
        """Return the best of all circulations: from a table where they can be listed, else by the relaxed programs."""
        problem, deadline = self.problem, time.perf_counter() + request.time_limit_s
        states = tuple(state for state in possible_states(problem) if self.rounds.relaying.possible(state))
        few = weights.rounds is not None and few_circulations(problem, weights, MOST)
        if few or table_rows(problem) <= MOST:
            table = CirculationTable.of(problem, states, weights)
            table = table if self.hands_in else table.reaching_the_cloud()
            searched = TableSearch(problem, table, judge, self.rounds.support, self.rounds.collection_support, weights)
            return searched.run(request.gap, deadline, tell, request.start)
        if weights.rounds is not None:
            return self._search_by_drift(states, weights, request, judge, tell)
        masters = self.masters(states, weights)
        return search(problem, masters, judge, weights, request.gap, request.time_limit_s, tell)

    def _search_by_drift(
        self, states: tuple[State, ...], weights: Weights, request: Request, judge: Judge, tell: Tell | None
    ) -> Found:
        """Return the best of all circulations where the rounds to a target count, which the programs cannot hold."""
        deadline = time.perf_counter() + request.time_limit_s

        def least(max_drift: float) -> Found:
            limited = replace(weights, max_drift=max_drift, rounds=None)
            left = max(deadline - time.perf_counter(), 0.0)
            masters = self.masters(states, limited)
            return search(self.problem, masters, judge, limited, request.gap / 2, left, tell)

        return search_by_drift(self.problem, least, weights, request.gap, deadline)

    @property
    def hands_in(self) -> bool:
        """Whether a plan that never reaches the cloud can be: its result, where that is collected, gets to the edge."""
        everything = (int(Tier.CLOUD),) * len(self.problem.modules)
        return not self.problem.published or next(self.rounds.relaying.lacking(everything, True), None) is None

    def masters(self, states: tuple[State, ...], weights: Weights) -> dict[int | None, Master]:
        """Return one relaxed program per kind of the first cloud event."""

        listed = self.rounds if isinstance(self.rounds, FixedRounds) and self.rounds.complete else None

        def collection(cell: int) -> tuple[float, float, float]:
            if listed is None:
                return 0.0, 0.0, 0.0
            ways = listed.collection(cell)
            return float(ways.before_s.min()), float(ways.after_s.min()), float(ways.energy_j.min())

        def support(cell: int, state: State, price: tuple[float, float, float]) -> float:
            return self.rounds.support(cell, state, *price)

        problem = self.problem
        top = max(problem.scenario.planning.periods).bit_length() - 1
        firsts: list[int | None] = [*([None] if self.hands_in else []), *range(top + 1)]
        ways = None if listed is None else listed.figures
        return {
            first: Master(problem, states, Calendar.of(problem, top, first), weights, support, ways, collection)
            for first in firsts
        }


def _judge_held(space: Space, judge: Judge, request: Request, weights: Weights) -> Found:
    problem, circulation = space.problem, request.circulation
    assert circulation is not None
    top = top_kind(circulation)
    states = states_of(circulation, top)
    first = first_at_cloud(states)
    headless = [cell.edge.name for state in states for cell in unclustered(problem, state)]
    if headless:
        raise InfeasibleError.one(
            "--circulation",
            f"it averages over D2D links, but in cell {headless[0]} no device can head all owners",
            "hold a circulation without D2D, or give the cell's devices D2D links",
        )
    relaying, everything = space.rounds.relaying, (int(Tier.CLOUD),) * len(problem.modules)
    lacking = [finding for state in states for finding in relaying.lacking(state)]
    if Calendar.of(problem, top, first).collects:
        lacking += relaying.lacking(everything, True)
    if lacking:
        raise InfeasibleError(dict.fromkeys(lacking))
    penalty = drift(problem, circulation)
    if penalty > weights.max_drift * (1 + 1e-9):
        raise InfeasibleError.one(
            "--circulation",
            f"its learning penalty Phi = {penalty:.6g} exceeds drift_max = {weights.max_drift:.6g}",
            f"hold a circulation with shorter periods, or lift the limit: --max-drift {rounded_up(penalty)}",
        )
    if not np.isfinite(weights.factor(penalty)):
        raise InfeasibleError(request.out_of_reach(penalty) or ())
    calendar = Calendar.of(problem, top, first)
    judged = judge(states, calendar, weights)
    best = judged if judged.value < np.inf else None
    reason = "undecided" if best is None and judged.bound < np.inf else "proven"
    return Found(best, judged.bound, reason, 1, calendar)


def optimal(
    problem: Problem, request: Request, progress: Progress | None = None, space: Space | None = None
) -> Certified:
    """Return the best plan of the whole decision space with a proven bound.

    Args:
        problem: the compiled scenario.
        request: objective, limits, gap, time limit; a held circulation if any.
        progress: told what the search is doing.
        space: that of the problem, where several searches share it; of no use where the association is chosen too.

    Returns:
        The plan, the bound, and what was optimised and held.

    Raises:
        InfeasibleError: no plan keeps the limits; says which binds and what would be feasible.
        LimitReachedError: the time limit came before any plan.

    Source: docs/formulations.md; logic-based Benders decomposition (Hooker and Ottosson, 2003).
    """
    if problem.scenario.planning.association == "free":
        from hffm_opt.solvers.joint.association import plan_with_association

        return plan_with_association(problem, request, weights_of(problem, request), _given, progress)
    return _given(problem, request, progress, space)


def _given(
    problem: Problem, request: Request, progress: Progress | None = None, space: Space | None = None
) -> Certified:
    """Return the best plan with the association given."""
    if request.circulation is None and len(problem.modules) > MAX_MODULES:
        from hffm_opt.solvers.joint.many_modules import plan_many

        return plan_many(problem, request, _given, progress)
    started = time.perf_counter()
    space = space or Space(problem)
    judge = space.judge(request)
    weights = weights_of(problem, request)

    def find(under: Weights) -> Found:
        if request.circulation is not None:
            return _judge_held(space, judge, request, under)
        # Searches that find out which limit binds have other objectives: their figures would mislead.
        unit = weight_unit(request) if under is weights else None
        return space.search(under, request, judge, None if progress is None else telling(progress, unit))

    found = find(weights)
    if found.best is None:
        if found.reason == "proven":
            room = 1e-6 if problem.fixed_allocation else request.gap
            raise explain(problem, request, weights, find, room, space.rounds.relaying)
        raise without_plan(found, request)
    optimised = ["heads", "trees", "uplinks"] + ([] if problem.fixed_allocation else ["allocation"])
    fixed = ["association"] + (["allocation"] if problem.fixed_allocation else [])
    (fixed if request.circulation is not None else optimised).insert(0, "circulation")
    return Certified(
        plan=space.plan(space.refined(found, weights, request.gap), "optimal"),
        bound=found.bound * weight_unit(request),
        stop_reason=reason_in_words(found, request.gap),
        seconds=time.perf_counter() - started,
        optimised=tuple(optimised),
        fixed=tuple(fixed),
        limited=found.reason == "time limit",
    )
