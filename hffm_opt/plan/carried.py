"""What can be carried out of a plan in a network that is no longer the one that it was made for.

A device that is there sits out when a tree that it needs does not reach it: an arc on its way to the root has no link
any more, or hangs on a device that is gone, or the tree was made without it. It sits out until a plan reaches it again,
and neither trains nor is waited for. The others do as planned, at the speed that links and processors have now; nobody
computes faster than it can, nor, where speeds are chosen, than the plan asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from hffm_opt.plan.circulation import Tier, tiers, top_kind
from hffm_opt.plan.model import OUTWARD, TREES, Arc, CellPlan, Plan, RoundPlan, ScenarioReference, Tree
from hffm_opt.plan.nominal import gain_of
from hffm_opt.plan.rounds import owners_at
from hffm_opt.problem.model import Bools, Cell, Ints, Problem
from hffm_opt.scenario.model import CLOUD


@dataclass(frozen=True, eq=False)
class Carried:
    """A plan as a network carries it out, and who does not take part.

    ``problem`` is the network with only those as owners who take part; ``plan`` fits it. ``sat_out`` are the devices
    that own modules and do not take part; ``participation`` is the share of the samples of all owners that is trained.
    """

    problem: Problem
    plan: Plan
    sat_out: tuple[str, ...]
    participation: float


def carried_out(problem: Problem, plan: Plan) -> Carried:
    """Return what a network carries out of a plan that was made for it under other conditions.

    Args:
        problem: the network as it is.
        plan: the plan in force.
    """
    if plan.scenario.fingerprint == problem.fingerprint:
        return Carried(problem, plan, (), 1.0 if problem.owners.any() else 0.0)
    levels = [tiers(plan.circulation, kind) for kind in range(top_kind(plan.circulation) + 1)]
    takes_part = np.array(problem.owners.any(axis=1))
    for cell, cell_plan in zip(problem.cells, plan.cells, strict=True):
        for name in _cut_off(problem, cell, cell_plan, levels):
            takes_part[cell.members[cell.names.index(name)]] = False
    owners = problem.owners & takes_part[:, None]
    masked = replace(problem, owners=owners, cycles=np.where(takes_part, problem.cycles, 0.0))
    cells = tuple(
        _carried_cell(masked, cell, cell_plan, levels) for cell, cell_plan in zip(masked.cells, plan.cells, strict=True)
    )
    idle = np.asarray(problem.owners.any(axis=1) & ~takes_part)
    samples = np.array([sum(device.samples.values()) for device in problem.scenario.devices], dtype=float)
    whole = samples[problem.owners.any(axis=1)].sum()
    return Carried(
        problem=masked,
        plan=plan.model_copy(update={"scenario": ScenarioReference.of(problem), "cells": cells}),
        sat_out=tuple(problem.scenario.devices[u].name for u in np.flatnonzero(idle)),
        participation=float(samples[takes_part].sum() / whole) if whole > 0 else 0.0,
    )


def _carries(cell: Cell, arc: Arc) -> bool:
    return CLOUD in (arc.source, arc.target) or gain_of(cell, arc.source, arc.target) > 0


def _below(arc: Arc, outward: bool) -> str:
    """Return the end of an arc that is the farther one from the root."""
    return arc.target if outward else arc.source


def _lost(problem: Problem, cell: Cell, tree: Tree, outward: bool) -> set[str]:
    """Return the devices of a tree whose way to its root is broken."""
    gone = {name for name, u in zip(cell.names, cell.members, strict=True) if _gone(problem, int(u))}
    parent = {_below(arc, outward): _below(arc, not outward) for arc in tree.arcs}
    broken = {
        _below(arc, outward) for arc in tree.arcs if not _carries(cell, arc) or arc.source in gone or arc.target in gone
    }
    lost = set()
    for start in parent:
        node = start
        while node in parent:
            if node in broken:
                lost.add(start)
                break
            node = parent[node]
    return lost


def _gone(problem: Problem, row: int) -> bool:
    """Whether a device is gone: conditions leave it without samples and without D2D links."""
    device = problem.scenario.devices[row]
    return not device.d2d and not any(device.samples.values())


def _cut_off(problem: Problem, cell: Cell, plan: CellPlan, levels: list[Ints]) -> Iterator[str]:
    """Yield the owners of a cell that a tree which they need does not reach; some several times."""
    rounds = [(kind, plan.rounds[kind]) for kind in range(len(levels))]
    for kind, round_plan in rounds:
        at_head = np.asarray(owners_at(problem, cell, levels[kind], Tier.D2D).any(axis=1))
        above = np.asarray(owners_at(problem, cell, levels[kind], Tier.EDGE, Tier.CLOUD).any(axis=1))
        yield from _unreached(problem, cell, round_plan, at_head, above)
    if plan.collection is not None:
        everyone = np.asarray(problem.cell_owners(cell).any(axis=1))
        yield from _unreached(problem, cell, plan.collection, np.zeros_like(everyone), everyone)


def _unreached(problem: Problem, cell: Cell, plan: RoundPlan, at_head: Bools, above: Bools) -> Iterator[str]:
    for name, needed in (("gather", at_head), ("scatter", at_head), ("uplink", above), ("downlink", above)):
        tree: Tree | None = getattr(plan, name)
        if tree is None and name == "downlink" and problem.published:
            continue
        outward = name in OUTWARD
        root = plan.head if name in ("gather", "scatter") else None
        reached = set() if tree is None else _in_tree(tree, outward, root) - _lost(problem, cell, tree, outward)
        yield from (cell.names[i] for i in np.flatnonzero(needed) if cell.names[i] not in reached)


def _in_tree(tree: Tree, outward: bool, root: str | None) -> set[str]:
    inside = {_below(arc, outward) for arc in tree.arcs}
    return inside | ({root} if root is not None else set())


def _carried_cell(problem: Problem, cell: Cell, plan: CellPlan, levels: list[Ints]) -> CellPlan:
    return plan.model_copy(
        update={
            "rounds": tuple(
                _carried_round(
                    problem,
                    cell,
                    round_plan,
                    bool(owners_at(problem, cell, level, Tier.D2D).any()),
                    bool(owners_at(problem, cell, level, Tier.EDGE, Tier.CLOUD).any()),
                )
                for round_plan, level in zip(plan.rounds, levels, strict=True)
            ),
            "collection": None
            if plan.collection is None
            else _carried_round(problem, cell, plan.collection, False, bool(problem.cell_owners(cell).any())),
        }
    )


def _carried_round(problem: Problem, cell: Cell, plan: RoundPlan, gathers: bool, uploads: bool) -> RoundPlan:
    """Return a round without the arcs of those who are lost, and without trees that nobody needs."""
    fastest = dict(zip(cell.names, problem.cpu_max_hz[cell.members].tolist(), strict=True))
    # A speed that the plan did not choose is that of the processor, whatever it was when the plan was made.
    chosen = not problem.fixed_allocation
    speeds = {name: min(hz, fastest[name]) if chosen else fastest[name] for name, hz in plan.cpu_hz.items()}
    update: dict[str, object] = {"cpu_hz": speeds}
    for name in TREES:
        tree: Tree | None = getattr(plan, name)
        if tree is None:
            continue
        outward = name in OUTWARD
        if not (gathers if name in ("gather", "scatter") else uploads):
            update[name] = None
            continue
        lost = _lost(problem, cell, tree, outward)
        kept = tuple(arc for arc in tree.arcs if _below(arc, outward) not in lost)
        update[name] = tree.model_copy(update={"arcs": kept})
    if not gathers:
        update["head"] = None
    return plan.model_copy(update=update)
