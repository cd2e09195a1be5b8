"""The network-wide allocation of a plan whose trees are held, as one exponential-cone program (cvxpy, Clarabel).

minimise    w_L latency + w_E energy over durations, bandwidths and CPU frequencies of all cells and kinds of round
subject to  every phase's own constraints (:mod:`..formulations.allocation_conic`)
            sigma[J] >= sum_j factor_j before_ij,  delta[J] >= after_iJ,  the limits on latency and energy

Column generation has already solved this program; here a second engine, which knows nothing of prices and columns,
has the last word, and the cheaper of the two answers is kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cvxpy as cp
import numpy as np

from hffm_opt.errors import InfeasibleError
from hffm_opt.problem.radio import Floats
from hffm_opt.solvers.engines.conic import ConicSolverError, solve_conic
from hffm_opt.solvers.formulations.allocation import Decisions
from hffm_opt.solvers.formulations.allocation_conic import PhaseProgram, build
from hffm_opt.solvers.formulations.allocation_phase import PhaseProblem
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.cell_phases import Event
from hffm_opt.solvers.joint.columns import Block, Column
from hffm_opt.solvers.joint.phases import PhaseKey, Point
from hffm_opt.solvers.joint.solo import Solo
from hffm_opt.solvers.joint.tree_pricing import TreePricer

TOLERANCES = (1e-9, 1e-8)


@dataclass(frozen=True, eq=False)
class Held:
    """The events of a network with one column each: what is to be allocated."""

    blocks: tuple[Block, ...]
    events: tuple[Event, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, eq=False)
class _Part:
    """One phase of a column in the program; without a program its point is held as it is."""

    point: Point
    side: str
    program: PhaseProgram | None

    @property
    def seconds(self) -> cp.Expression:
        return cp.Constant(self.point.time_s) if self.program is None else self.program.time_s

    @property
    def joules(self) -> cp.Expression:
        return cp.Constant(self.point.energy_j) if self.program is None else self.program.energy_j

    def read(self) -> Point:
        """Return the point with the program's decisions."""
        if self.program is None:
            return self.point
        decisions = self.program.read()
        return replace(
            self.point,
            time_s=float(decisions.time_s(self.program.phase)),
            energy_j=float(decisions.energy_j(self.program.phase)),
            duration_s=decisions.duration_s,
            bandwidth_hz=decisions.bandwidth_hz,
            cpu_hz=decisions.cpu_hz,
        )


def tree_phase(pricer: TreePricer, key: PhaseKey, point: Point) -> PhaseProblem:
    """Return the allocation problem of a point's own tree."""
    trees = pricer.trees(key)
    one = trees.batch.take(np.array([trees.row_of(point)]))
    return PhaseProblem(**{name: getattr(one, name)[0] for name in one.__dataclass_fields__})


def solo_phase(solo: Solo) -> PhaseProblem:
    """Return training alone as a phase without loads; only where no fixed delay follows it."""
    n, none = solo.cycles.size, np.zeros(1)
    return PhaseProblem(
        load_bit=none,
        gain_to_noise_hz_per_w=none + 1.0,
        power_max_w=none + 1.0,
        pool=np.zeros(1, dtype=np.intp),
        pool_bandwidth_hz=none + 1.0,
        path_arc=np.zeros((n, 1), dtype=bool),
        cycles=solo.cycles,
        cpu_min_hz=solo.cpu_min_hz,
        cpu_max_hz=solo.cpu_max_hz,
        capacitance=solo.capacitance_j_s2,
    )


def _parts(pricer: TreePricer, event: Event, column: Column, name: str) -> list[_Part]:
    route = event[column.route]
    points = list(column.points)
    parts: list[_Part] = []
    if route.solo is not None:
        alone = points.pop(0)
        free = not route.solo.delay_s.any() and route.solo.cycles.any()
        start = Decisions(np.zeros(1), np.zeros(1), np.where(route.solo.cycles > 0, alone.cpu_hz, 0.0))
        program = build(solo_phase(route.solo), start, f"{name}.solo") if free else None
        parts.append(_Part(alone, "before", program))
    sides = [(key, side) for keys, side in route.groups for key in keys]
    for (key, side), point in zip(sides, points, strict=True):
        phase = tree_phase(pricer, key, point)
        busy = phase.loaded.any() or phase.computes.any()
        start = Decisions(point.duration_s, point.bandwidth_hz, point.cpu_hz)
        parts.append(_Part(point, side, build(phase, start, f"{name}.{key.kind}") if busy else None))
    return parts


def polish(
    pricer: TreePricer, calendar: Calendar, weights: Weights, cells: int, held: Held
) -> tuple[float, Held] | None:
    """Allocate the whole network anew with its trees held; ``None`` where the engine finds no optimum.

    Args:
        pricer: keeps the trees' allocation problems.
        calendar: how kinds of round make up a cycle.
        weights: objective and limits.
        cells: number of cells.
        held: trees and a feasible allocation, by which the program is scaled.

    Returns:
        The program's value and the events with their new columns.
    """
    parts = [
        _parts(pricer, event, column, f"cell{block.cell}.kind{block.kind}.{block.event}")
        for block, event, column in zip(held.blocks, held.events, held.columns, strict=True)
    ]
    per_round = calendar.counts / calendar.length
    before: dict[tuple[int, int], cp.Expression] = {}
    after: dict[tuple[int, int], cp.Expression] = {}
    joules: list[cp.Expression] = []
    shares: list[float] = []
    constraints: list[cp.Constraint] = []
    for block, event, column, items in zip(held.blocks, held.events, held.columns, parts, strict=True):
        at, route = (block.cell, block.kind), event[column.route]
        for part in items:
            constraints += [] if part.program is None else part.program.constraints
        early = sum((p.seconds for p in items if p.side == "before"), cp.Constant(route.before_s))
        late = sum((p.seconds for p in items if p.side == "after"), cp.Constant(route.after_s))
        before[at] = before.get(at, cp.Constant(0.0)) + early
        after[at] = after.get(at, cp.Constant(0.0)) + late
        joules += [cp.Constant(route.energy_j), *(p.joules for p in items)]
        shares += [float(per_round[block.kind])] * (1 + len(items))
    latency, rows = cycle_latency(calendar, cells, before, after)
    constraints += rows
    energy = np.array(shares) @ cp.hstack(joules)
    constraints += limit_rows(weights, latency, energy)
    with warnings.catch_warnings():
        # One expression per phase is what this program is made of; joining them in epigraph variables, as the warning
        # asks, made Clarabel stall.
        warnings.filterwarnings("ignore", message=".*contains too many subexpressions", category=UserWarning)
        program = cp.Problem(cp.Minimize(weights.latency * latency + weights.energy * energy), constraints)
    try:
        run = solve_conic(program, tolerances=TOLERANCES)
    except (ConicSolverError, InfeasibleError):
        return None
    columns = tuple(
        _column_of(event, column, [part.read() for part in items], [part.side for part in items])
        for event, column, items in zip(held.events, held.columns, parts, strict=True)
    )
    return run.value, replace(held, columns=columns)


def cycle_latency(
    calendar: Calendar,
    cells: int,
    before: Mapping[tuple[int, int], cp.Expression],
    after: Mapping[tuple[int, int], cp.Expression],
) -> tuple[cp.Expression, list[cp.Constraint]]:
    """Return the latency per round of the slowest cells, in s, and the constraints that hold it up.

    Args:
        calendar: how kinds of round make up a cycle.
        cells: number of cells.
        before, after: seconds before and after the cloud's meeting by (cell, kind), convex; missing where none pass.
    """
    segments = calendar.segments
    spans = cp.Variable(2 * len(segments), name="spans", nonneg=True)
    constraints: list[cp.Constraint] = []
    for k, segment in enumerate(segments):
        ending, factor = segment.ending, segment.rounds
        for i in range(cells):
            used = [float(factor[j]) * before[i, j] for j in range(calendar.top + 1) if factor[j] and (i, j) in before]
            constraints.append(spans[2 * k] >= sum(used, cp.Constant(0.0)))
            if ending is not None and (i, ending) in after:
                constraints.append(spans[2 * k + 1] >= after[i, ending])
    return np.repeat([segment.share for segment in segments], 2) @ spans, constraints


def limit_rows(weights: Weights, latency: cp.Expression, energy: cp.Expression) -> list[cp.Constraint]:
    """Return the limits on latency in s and energy in J per round, each scaled to one."""
    pairs = ((latency, weights.max_latency_s), (energy, weights.max_energy_j))
    return [value / limit <= 1.0 for value, limit in pairs if np.isfinite(limit)]


def _column_of(event: Event, column: Column, points: Sequence[Point], sides: Sequence[str]) -> Column:
    route = event[column.route]

    def seconds(side: str) -> float:
        return sum(p.time_s for p, s in zip(points, sides, strict=True) if s == side)

    return Column(
        column.route,
        tuple(points),
        route.before_s + seconds("before"),
        route.after_s + seconds("after"),
        route.energy_j + sum(p.energy_j for p in points),
    )


def figures_of(calendar: Calendar, cells: int, held: Held) -> tuple[float, float]:
    """Return latency and energy per round of held columns straight from their figures."""
    per_round: Floats = calendar.counts / calendar.length
    before, after = np.zeros((cells, calendar.top + 1)), np.zeros((cells, calendar.top + 1))
    energy = 0.0
    for block, column in zip(held.blocks, held.columns, strict=True):
        before[block.cell, block.kind] += column.before_s
        after[block.cell, block.kind] += column.after_s
        energy += float(per_round[block.kind]) * column.energy_j
    latency = 0.0
    for segment in calendar.segments:
        back = 0.0 if segment.ending is None else float(after[:, segment.ending].max())
        latency += segment.share * (float((before @ segment.rounds).max()) + back)
    return latency, energy
