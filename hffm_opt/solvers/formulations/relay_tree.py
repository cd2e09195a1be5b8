"""The best relay trees of one cell, with a proof: minimise ``weight_time * T + weight_energy * E`` within
limits.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from hffm_opt.errors import InfeasibleError, InputError
from hffm_opt.solvers.engines.highs import HighsOptions, HighsOutcome, Status, StopReason, relative_gap
from hffm_opt.solvers.formulations.relay_bound import simple_bounds
from hffm_opt.solvers.formulations.relay_index import Horizon, TreeProgram, read_parents, start_vector
from hffm_opt.solvers.formulations.relay_model import build
from hffm_opt.solvers.formulations.relay_start import Goal, starting_trees
from hffm_opt.solvers.formulations.tree_cost import tree_cost
from hffm_opt.solvers.formulations.tree_problem import (
    Direction,
    TreeProblem,
    TreeSolution,
    check_reachable,
    half_of,
)

AGREEMENT = 1e-7
"""Relative difference to the plain recursion beyond which a solver's answer is refused."""


@dataclass(frozen=True)
class TreeOutcome:
    """The best trees found and how good they are proven to be.

    ``objective`` is the weighted sum priced by the plain recursion, ``bound`` a lower bound on the best there
    is, ``gap = (objective - bound) / objective``. Without a tree in hand ``solution`` is None and
    ``objective`` infinite.
    """

    status: Status
    stop_reason: StopReason
    solution: TreeSolution | None
    objective: float
    bound: float
    gap: float
    seconds: float
    nodes: int


class DisagreementError(RuntimeError):
    """A solver's latency, energy or objective differs from the plain recursion: a bug, never an input error."""


def solve_tree(
    problem: TreeProblem,
    weight_time: float,
    weight_energy: float,
    *,
    max_time_s: float | None = None,
    max_energy_j: float | None = None,
    gap: float = 0.0,
    time_limit_s: float = math.inf,
    node_limit: int | None = None,
    seed: int = 0,
) -> TreeOutcome:
    """Minimise ``weight_time * T + weight_energy * E`` over heads and trees within optional limits.

    ``weight_time`` is per second, ``weight_energy`` per joule, both at least 0. ``gap`` is the relative gap
    at which the search may stop. Raises :class:`InfeasibleError` naming cut-off devices, or where no tree
    keeps the limits.

    >>> import numpy as np
    >>> links = np.array([[0.0, 1.0, 9.0], [1.0, 0.0, 2.0], [9.0, 2.0, 0.0]])
    >>> cell = TreeProblem(links, links, np.array([1.0]), np.ones((2, 1), bool), roots=(2,))
    >>> solve_tree(cell, 1.0, 1.0).solution.up_parent
    (1, 2)
    """
    began = time.perf_counter()
    goal = Goal(
        *_checked_weights(weight_time, weight_energy),
        math.inf if max_time_s is None else max_time_s,
        math.inf if max_energy_j is None else max_energy_j,
    )
    check_reachable(problem)
    starts = starting_trees(problem, goal)
    program = build(problem, horizon_of(problem, goal, starts), with_time=needs_time(goal))
    left = max(0.0, time_limit_s - (time.perf_counter() - began))
    options = HighsOptions(time_limit_s=left, node_limit=node_limit, relative_gap=gap, seed=seed)
    outcome = solve_program(program, goal, starts[:1], options)
    simple = float((simple_bounds(problem) @ [weight_time, weight_energy]).min())
    bound = min(max(outcome.bound, simple), outcome.objective)
    gap_left = relative_gap(outcome.objective, bound)
    return replace(outcome, bound=bound, gap=gap_left, seconds=time.perf_counter() - began)


def needs_time(goal: Goal) -> bool:
    """Whether latency matters to the goal at all."""
    return goal.weight_time > 0 or math.isfinite(goal.max_time_s)


def solve_program(program: TreeProgram, goal: Goal, starts: list[TreeSolution], options: HighsOptions) -> TreeOutcome:
    """Solve a built program for a goal inside its horizon, price the trees by the recursion and compare."""
    horizon = program.horizon
    in_units = goal.weight_time * horizon.time_unit_s, goal.weight_energy * horizon.energy_unit_j
    norm = max(in_units) or 1.0
    program.set_objective(in_units[0] / norm, in_units[1] / norm)
    program.set_limits(goal.max_time_s, goal.max_energy_j)
    for start in starts:
        point = start_vector(program, start)
        if point is not None and program.model.set_start(point):
            break
    outcome = program.model.solve(options)
    if outcome.status is Status.INFEASIBLE:
        raise InfeasibleError.one(
            "limits", "no relay tree keeps the limits on time, energy, hops and children", "relax one"
        )
    bound = outcome.bound * norm
    if outcome.x is None:
        return TreeOutcome(
            outcome.status, outcome.stop_reason, None, math.inf, bound, math.inf, outcome.seconds, outcome.nodes
        )
    solution = price(program.problem, *read_parents(program, outcome.x))
    objective = goal.weight_time * solution.time_s + goal.weight_energy * solution.energy_j
    _compare(goal, solution, objective, outcome, norm)
    bound = min(bound, objective)
    return TreeOutcome(
        outcome.status,
        outcome.stop_reason,
        solution,
        objective,
        bound,
        relative_gap(objective, bound),
        outcome.seconds,
        outcome.nodes,
    )


def price(problem: TreeProblem, root: int, trees: tuple[tuple[int, ...], ...]) -> TreeSolution:
    """Return the solution that these trees make, priced by the plain recursion."""
    by_direction = dict(zip(problem.directions, trees, strict=True))
    up, down = by_direction.get(Direction.GATHER, ()), by_direction.get(Direction.SCATTER, ())
    head = None if root == problem.n else root
    cost = tree_cost(problem, head, up, down)
    return TreeSolution(head, up, down, cost.time_s, cost.energy_j)


def horizon_of(problem: TreeProblem, goal: Goal, starts: list[TreeSolution]) -> Horizon:
    """Return limits that some best tree keeps, from the goal and from the best tree known.

    A tree of objective Z and lower bounds T0, E0 prove ``T <= (Z - weight_energy * E0) / weight_time`` and
    ``E <= (Z - weight_time * T0) / weight_energy`` for every better one. Without a tree, no path is longer than the sum
    of every device's slowest link under the full load.
    """
    known = next((s for s in starts if s.time_s <= goal.max_time_s and s.energy_j <= goal.max_energy_j), None)
    load = float(problem.payload_bit.sum())
    worst_time = worst_energy = 0.0
    for direction in problem.directions:
        half = half_of(problem, direction)
        there = np.isfinite(half.seconds_per_bit)
        seconds = np.where(there, load * np.where(there, half.seconds_per_bit, 0.0) + half.delay_s, 0.0)
        joules = np.where(there, load * np.where(there, half.joules_per_bit, 0.0), 0.0)
        worst_time += half.floor_s + float(seconds.max(axis=1).sum())
        worst_energy += float(joules.max(axis=1).sum())
    time_s, energy_j = min(goal.max_time_s, worst_time), min(goal.max_energy_j, worst_energy)
    if known is not None:
        least_time, least_energy = simple_bounds(problem).min(axis=0)
        value = (goal.weight_time * known.time_s + goal.weight_energy * known.energy_j) * (1 + 1e-9)
        if goal.weight_time > 0:
            time_s = min(time_s, max(known.time_s, (value - goal.weight_energy * least_energy) / goal.weight_time))
        if goal.weight_energy > 0:
            energy_j = min(energy_j, max(known.energy_j, (value - goal.weight_time * least_time) / goal.weight_energy))
    scale = starts[0] if starts else None
    time_unit = (scale.time_s if scale else time_s) or 1.0
    energy_unit = (scale.energy_j if scale else energy_j) or 1.0
    return Horizon(time_s, energy_j, time_unit, energy_unit)


def _compare(goal: Goal, solution: TreeSolution, objective: float, outcome: HighsOutcome, norm: float) -> None:
    claimed = outcome.objective * norm
    scale = max(abs(objective), abs(claimed), 1e-300)
    if objective - claimed > AGREEMENT * scale:
        raise DisagreementError(f"the program says {claimed!r}, the recursion {objective!r} for {solution}")
    if outcome.status is Status.OPTIMAL and claimed - objective > (AGREEMENT + outcome.gap) * scale:
        raise DisagreementError(f"the program proves {claimed!r}, the recursion finds {objective!r} for {solution}")
    for name, value, limit in (
        ("time_s", solution.time_s, goal.max_time_s),
        ("energy_j", solution.energy_j, goal.max_energy_j),
    ):
        if value > limit * (1 + AGREEMENT):
            raise DisagreementError(f"{name} {value!r} exceeds its limit {limit!r} for {solution}")


def _checked_weights(weight_time: float, weight_energy: float) -> tuple[float, float]:
    for name, weight in (("weight_time", weight_time), ("weight_energy", weight_energy)):
        if not (math.isfinite(weight) and weight >= 0):
            raise InputError.one(name, f"{weight} is no weight", "give a finite value of at least 0")
    return weight_time, weight_energy
