"""The complete latency-energy front of one cell, and its two ends.

Latency and energy of a root's gathering and scattering tree add up, so the front of a root is the
nondominated sum of two fronts, and the cell's is the nondominated union over roots. Each of those fronts
comes from the epsilon-constraint method on one warm flow program (Haimes et al., IEEE Trans. SMC 1 (1971)):

    E* = min E s.t. T <= eps;   T* = min T s.t. E <= E*;   eps <- T* less the resolution

Cells of up to six devices are enumerated instead, which is faster by two orders of magnitude; both paths
agree.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from enum import StrEnum

from hffm_opt.errors import InfeasibleError, LimitReachedError
from hffm_opt.solvers.engines.highs import HighsOptions, Status
from hffm_opt.solvers.formulations.relay_index import TreeProgram
from hffm_opt.solvers.formulations.relay_model import build
from hffm_opt.solvers.formulations.relay_program import horizon_of, solve_program
from hffm_opt.solvers.formulations.relay_start import Goal, starting_trees
from hffm_opt.solvers.formulations.tree_enumeration import MAX_DEVICES
from hffm_opt.solvers.formulations.tree_front import (
    RESOLUTION,
    FrontPoint,
    combine_fronts,
    enumerated_front,
    merge_fronts,
)
from hffm_opt.solvers.formulations.tree_problem import (
    Direction,
    TreeProblem,
    TreeSolution,
    check_reachable,
)


class FrontMethod(StrEnum):
    """How a front is found; AUTO enumerates up to six devices."""

    AUTO = "auto"
    ENUMERATION = "enumeration"
    PROGRAM = "program"


def pareto_front(
    problem: TreeProblem, method: FrontMethod = FrontMethod.AUTO, *, time_limit_s: float = math.inf
) -> tuple[TreeSolution, ...]:
    """Return every nondominated (latency, energy) of the cell by rising latency, each with one tree pair.

    Points closer than a relative 1e-7 count as one. Raises :class:`InfeasibleError` naming cut-off devices or
    where no tree keeps the limits, and :class:`LimitReachedError` where the program is not done in
    ``time_limit_s``.

    >>> import numpy as np
    >>> slow = np.array([[0.0, 1.0, 9.0], [1.0, 0.0, 1.0], [9.0, 1.0, 0.0]])
    >>> dear = np.array([[0.0, 4.0, 1.0], [4.0, 0.0, 4.0], [1.0, 4.0, 0.0]])
    >>> cell = TreeProblem(slow, dear, np.array([1.0]), np.ones((2, 1), bool), roots=(2,))
    >>> [(s.time_s, s.energy_j) for s in pareto_front(cell)]
    [(2.0, 8.0), (9.0, 5.0)]
    """
    method = FrontMethod(method)
    check_reachable(problem)
    small = problem.n <= MAX_DEVICES
    if method is FrontMethod.ENUMERATION or (method is FrontMethod.AUTO and small):
        front = enumerated_front(problem)
    else:
        deadline = time.perf_counter() + time_limit_s
        front = merge_fronts([_front_of_root(problem, root, deadline) for root in problem.roots])
    if not front:
        raise InfeasibleError.one("limits", "no relay tree keeps the limits on hops and children", "relax one")
    return front


def min_time(problem: TreeProblem, method: FrontMethod = FrontMethod.AUTO) -> TreeSolution:
    """Return the fastest trees, the cheapest among equally fast ones."""
    return _end(problem, Goal(1.0, 0.0), method)


def min_energy(problem: TreeProblem, method: FrontMethod = FrontMethod.AUTO) -> TreeSolution:
    """Return the cheapest trees, the fastest among equally cheap ones."""
    return _end(problem, Goal(0.0, 1.0), method)


def _end(problem: TreeProblem, goal: Goal, method: FrontMethod) -> TreeSolution:
    if FrontMethod(method) is not FrontMethod.PROGRAM and problem.n <= MAX_DEVICES:
        front = pareto_front(problem, method)
        return front[0] if goal.weight_time else front[-1]
    check_reachable(problem)
    return _both(problem, goal, math.inf)


def _both(problem: TreeProblem, goal: Goal, deadline: float) -> TreeSolution:
    """Optimise one measure, then the other among the best."""
    return _solve_fresh(problem, _then(goal, _solve_fresh(problem, goal, deadline)), deadline)


def _then(goal: Goal, first: TreeSolution) -> Goal:
    """Return the second goal of a lexicographic pair: the other measure, with the first held at its optimum."""
    if goal.weight_time:
        return Goal(0.0, 1.0, first.time_s * (1 + RESOLUTION / 10), goal.max_energy_j)
    return Goal(1.0, 0.0, goal.max_time_s, first.energy_j * (1 + RESOLUTION / 10))


def _solve_fresh(problem: TreeProblem, goal: Goal, deadline: float) -> TreeSolution:
    starts = starting_trees(problem, goal)
    program = build(problem, horizon_of(problem, goal, starts), with_time=True)
    return _solve(program, goal, starts[:1], deadline)


def _solve(program: TreeProgram, goal: Goal, starts: list[TreeSolution], deadline: float) -> TreeSolution:
    left = max(0.0, deadline - time.perf_counter())
    outcome = solve_program(program, goal, starts, HighsOptions(time_limit_s=left))
    if outcome.solution is None or outcome.status is not Status.OPTIMAL:
        raise LimitReachedError.one("time_limit_s", f"the front is not complete: {outcome.stop_reason}", "raise it")
    return outcome.solution


def _front_of_root(problem: TreeProblem, root: int, deadline: float) -> tuple[TreeSolution, ...]:
    fronts: dict[Direction, tuple[FrontPoint, ...]] = {}
    for direction in problem.directions:
        half = replace(problem, roots=(root,), direction=direction)
        try:
            check_reachable(half)
            points = _front_of_half(half, deadline)
        except InfeasibleError:
            return ()
        fronts[direction] = tuple(FrontPoint(s.up_parent or s.down_parent, s.time_s, s.energy_j) for s in points)
    return combine_fronts(root, problem.n, fronts)


def _front_of_half(problem: TreeProblem, deadline: float) -> list[TreeSolution]:
    """Walk the front of one root and direction from the cheapest tree to the fastest."""
    found = [_both(problem, Goal(0.0, 1.0), deadline)]
    last = _both(problem, Goal(1.0, 0.0), deadline)
    # Between the two ends both measures are bounded by them, which prunes arcs once for all.
    box = replace(
        horizon_of(problem, Goal(0.0, 0.0, found[0].time_s, last.energy_j), found),
        time_s=found[0].time_s * (1 + RESOLUTION),
        energy_j=last.energy_j * (1 + RESOLUTION),
    )
    program = build(problem, box)
    while found[-1].time_s > last.time_s * (1 + 2 * RESOLUTION):
        goal = Goal(0.0, 1.0, found[-1].time_s * (1 - RESOLUTION))
        first = _solve(program, goal, [last], deadline)
        found.append(_solve(program, _then(goal, first), [first], deadline))
    return found
