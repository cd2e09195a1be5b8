"""Plans without D2D: star to the cloud, edge only, and H-FedFM with a uniform global period.

Source: the rows of arXiv 2509.03695 (see REFERENCE of the case study in the docs).
"""

from __future__ import annotations

import numpy as np

from hffm_opt.errors import InputError
from hffm_opt.plan.circulation import Circulation, Tier, hands_in, tiers, top_kind, uniform
from hffm_opt.plan.model import CellPlan, Plan, RoundPlan, ScenarioReference, Tree
from hffm_opt.plan.nominal import full_speed, nominal_tree
from hffm_opt.plan.rounds import owners_at
from hffm_opt.problem.model import Bools, Cell, Ints, Problem
from hffm_opt.scenario.model import CLOUD
from hffm_opt.solvers.request import Request


def reference_to(problem: Problem) -> ScenarioReference:
    """Return the reference that a plan for this problem carries."""
    return ScenarioReference(name=problem.scenario.name, fingerprint=problem.fingerprint)


def spokes(problem: Problem, cell: Cell, users: Bools, hub: str) -> tuple[Tree, Tree | None]:
    """Return the trees that join the chosen devices straight to the edge or the cloud, up and down.

    The published arithmetic moves models down for free, so there the second is ``None``.
    """
    names = [cell.names[i] for i in np.flatnonzero(users)]
    up = nominal_tree(problem, cell, [(name, hub) for name in names])
    return up, None if problem.published else nominal_tree(problem, cell, [(hub, name) for name in names])


def cellular_round(problem: Problem, cell: Cell, tier_of_module: Ints, hub: str) -> RoundPlan:
    """Return the round in which owners reach the hub over their own uplinks (nothing moves where none is due)."""
    users = np.asarray(owners_at(problem, cell, tier_of_module, Tier.EDGE, Tier.CLOUD).any(axis=1))
    speed = full_speed(problem, cell)
    if not users.any():
        return RoundPlan(cpu_hz=speed)
    up, down = spokes(problem, cell, users, hub)
    return RoundPlan(uplink=up, downlink=down, cpu_hz=speed)


def cellular_plan(problem: Problem, circulation: Circulation, method: str, direct: bool = False) -> Plan:
    """Return the plan in which every event uses the cellular links (or the direct links to the cloud) alone."""
    top = top_kind(circulation)
    levels = [tiers(circulation, kind) for kind in range(top + 1)]
    handed_in = np.full(len(problem.modules), int(Tier.CLOUD))
    collects = hands_in(problem, circulation)
    cells = []
    for cell in problem.cells:
        hub = CLOUD if direct else cell.edge.name
        rounds = tuple(cellular_round(problem, cell, level, hub) for level in levels)
        last = cellular_round(problem, cell, handed_in, cell.edge.name) if collects else None
        cells.append(CellPlan(edge=cell.edge.name, devices=cell.names, rounds=rounds, collection=last))
    return Plan(scenario=reference_to(problem), method=method, circulation=circulation, cells=tuple(cells))


def star(problem: Problem, request: Request) -> Plan:
    """Every device sends every module to the cloud each round, over its direct link."""
    del request
    if problem.scenario.cloud.direct is None:
        raise InputError.one("cloud.direct", "'star' needs the devices' direct link to the cloud", "give cloud.direct")
    return cellular_plan(problem, uniform(problem, None, None, 1), "star", direct=True)


def edge_only(problem: Problem, request: Request) -> Plan:
    """Every device sends every module to its edge each round; edges never meet."""
    del request
    return cellular_plan(problem, uniform(problem, None, 1, None), "edge-only")


def h_fedfm_2(problem: Problem, request: Request) -> Plan:
    """H-FedFM: edge average each round, global average every 2."""
    del request
    return cellular_plan(problem, uniform(problem, None, 1, 2), "h-fedfm-2")


def h_fedfm_8(problem: Problem, request: Request) -> Plan:
    """H-FedFM: edge average each round, global average every 8."""
    del request
    return cellular_plan(problem, uniform(problem, None, 1, 8), "h-fedfm-8")
