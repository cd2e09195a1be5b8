"""The allocation of a plan's own trees as convex programs: one phase of one cell, or the whole network at once.

They start from a plan alone, whoever made it, and take loads and constants from the referee, not from the search: what
is allocated is the bandwidth, power and time of every radio link and the CPU frequency of every device; what the
backhaul and direct links to the cloud cost stands as a constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cvxpy as cp
import numpy as np

from hffm_opt.plan.circulation import Tier, tiers, top_kind
from hffm_opt.plan.costs import tree_cost
from hffm_opt.plan.limits import link_limits
from hffm_opt.plan.model import Plan, RoundPlan
from hffm_opt.plan.rounds import owners_at, round_cost, round_trees
from hffm_opt.plan.trees import IndexedTree
from hffm_opt.problem.model import Bools, Cell, Ints, Problem
from hffm_opt.solvers.formulations.allocation import Decisions
from hffm_opt.solvers.formulations.allocation_conic import PhaseProgram, build
from hffm_opt.solvers.formulations.allocation_phase import PhaseProblem
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.polish import cycle_latency, limit_rows, solo_phase
from hffm_opt.solvers.joint.solo import Solo

BANDS = ("d2d", "uplink", "downlink")


@dataclass(frozen=True, eq=False)
class HeldPhase:
    """One event of one direction in a kind of round of a cell: its program, and on which side of the meeting it is."""

    cell: int
    kind: int
    name: str
    after: bool
    program: PhaseProgram


def phase_of(
    problem: Problem, cell: Cell, plan: RoundPlan, tree: IndexedTree, owners: Bools, trains: bool, outward: bool
) -> tuple[PhaseProblem, Decisions]:
    """Return a tree of a plan as an allocation problem over its arcs [n, by child], and the plan's own decisions."""
    n = cell.size
    cost = tree_cost(problem, cell, tree, owners, np.zeros(n), outward)
    load, gain, power = np.zeros(n), np.ones(n), np.ones(n)
    seconds, width = np.zeros(n), np.zeros(n)
    pool, pools = np.zeros(n, dtype=np.intp), [float(getattr(cell.edge, f"{band}_bandwidth_hz")) for band in BANDS]
    for transfer in cost.transfers:
        v = transfer.target if outward else transfer.source
        arc = tree.arc[v]
        band, given, cap, budget = link_limits(problem, cell, arc)
        load[v], gain[v], power[v] = transfer.bits, given / problem.noise_w_per_hz, cap
        assert arc.bandwidth_hz is not None
        seconds[v], width[v] = transfer.seconds, arc.bandwidth_hz
        pool[v] = BANDS.index(band)
        if getattr(problem.scenario.physics, f"{band}_sharing") == "dedicated":
            pool[v] = len(pools)
            pools.append(budget)
    rows = cell.members
    phase = PhaseProblem(
        load_bit=load,
        gain_to_noise_hz_per_w=gain,
        power_max_w=power,
        pool=pool,
        pool_bandwidth_hz=np.array(pools),
        path_arc=tree.members[:n].T & np.isin(np.arange(n), list(tree.order))[None, :],
        cycles=problem.cycles[rows] if trains else np.zeros(n),
        cpu_min_hz=problem.cpu_min_hz[rows],
        cpu_max_hz=problem.cpu_max_hz[rows],
        capacitance=problem.capacitance_j_s2[rows],
    )
    speed = np.array([plan.cpu_hz[name] for name in cell.names]) * phase.computes
    return phase, Decisions(seconds, width * phase.loaded, speed)


def _phases(
    problem: Problem, index: int, kind: int, plan: RoundPlan, level: Ints
) -> Iterator[tuple[str, bool, PhaseProblem, Decisions]]:
    """Yield (name, after the meeting, problem, decisions) of a round's events, but for direct links to the cloud."""
    cell, path = problem.cells[index], f"cells[{index}].rounds[{kind}]"
    trees = round_trees(problem, cell, plan, level, path)
    at_head = owners_at(problem, cell, level, Tier.D2D)
    above = owners_at(problem, cell, level, Tier.EDGE, Tier.CLOUD)
    meets = bool(owners_at(problem, cell, level, Tier.CLOUD).any())
    events = (
        ("gather", trees.gather, at_head, True, False, False),
        ("scatter", trees.scatter, at_head, False, True, False),
        ("uplink", trees.uplink, above, trees.gather is None, False, False),
        ("downlink", trees.downlink, above, False, True, meets),
    )
    for name, tree, owners, trains, outward, after in events:
        if tree is None or tree.root > cell.size:
            continue
        phase, start = phase_of(problem, cell, plan, tree, owners, trains, outward)
        if phase.loaded.any() or phase.computes.any():
            yield name, after, phase, start
    if trees.gather is None and trees.uplink is None:
        phase, start = _training(problem, cell, plan)
        if phase.computes.any():
            yield "training", False, phase, start


def _training(problem: Problem, cell: Cell, plan: RoundPlan) -> tuple[PhaseProblem, Decisions]:
    phase = solo_phase(Solo.of(problem, cell, np.zeros(cell.size)))
    speed = np.array([plan.cpu_hz[name] for name in cell.names]) * phase.computes
    return phase, Decisions(np.zeros(1), np.zeros(1), speed)


def network_program(problem: Problem, plan: Plan, weights: Weights) -> tuple[cp.Problem, tuple[HeldPhase, ...]]:
    """Return the allocation of the whole network with the plan's trees held, and its phases.

    minimise ``w_L latency + w_E energy`` per round, the penalty Phi left out: the plan's circulation is held too.

    Args:
        problem: with free allocation.
        plan: any plan that it accepts; its decisions scale the program.
        weights: of latency and energy, and limits on them.

    Raises:
        InputError: the plan does not fit the problem.
    """
    top = top_kind(plan.circulation)
    levels = [tiers(plan.circulation, kind) for kind in range(top + 1)]
    first = next((kind for kind, level in enumerate(levels) if (level == Tier.CLOUD).any()), None)
    calendar = Calendar.of(problem, top, first)
    per_round = calendar.counts / calendar.length
    before: dict[tuple[int, int], cp.Expression] = {}
    after: dict[tuple[int, int], cp.Expression] = {}
    energy: cp.Expression = cp.Constant(0.0)
    constraints: list[cp.Constraint] = []
    held: list[HeldPhase] = []
    for i, (cell, cell_plan) in enumerate(zip(problem.cells, plan.cells, strict=True)):
        for j, level in enumerate(levels):
            whole = round_cost(problem, cell, cell_plan.rounds[j], level, f"cells[{i}].rounds[{j}]")
            rest = [whole.before_s, whole.after_s, sum(whole.tally.energies())]
            early: cp.Expression = cp.Constant(0.0)
            late: cp.Expression = cp.Constant(0.0)
            for name, is_after, phase, start in _phases(problem, i, j, cell_plan.rounds[j], level):
                part = build(phase, start, f"cell{i}.kind{j}.{name}")
                held.append(HeldPhase(i, j, name, is_after, part))
                constraints += part.constraints
                rest[int(is_after)] -= float(start.time_s(phase))
                rest[2] -= float(start.energy_j(phase))
                early, late = (early, late + part.time_s) if is_after else (early + part.time_s, late)
                energy = energy + float(per_round[j]) * part.energy_j
            before[i, j], after[i, j] = early + max(rest[0], 0.0), late + max(rest[1], 0.0)
            energy = energy + float(per_round[j]) * max(rest[2], 0.0)
    latency, rows = cycle_latency(calendar, len(problem.cells), before, after)
    constraints += rows
    constraints += limit_rows(weights, latency, energy)
    program = cp.Problem(cp.Minimize(weights.latency * latency + weights.energy * energy), constraints)
    return program, tuple(held)
