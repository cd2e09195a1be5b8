"""Plans of walking modules: the islands of D2D links, and a chain on each with its certificate."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import numpy as np

from hffm_opt.errors import InputError
from hffm_opt.plan.model import ScenarioReference
from hffm_opt.plan.walks import Island, Kemeny, WalkPlan
from hffm_opt.problem.model import Bools, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.solvers.formulations.fastest_mixing import fastest_mixing, metropolis_hastings, slem
from hffm_opt.solvers.formulations.minimal_kemeny import kemeny_constant, minimal_kemeny
from hffm_opt.solvers.heuristics.optimised_walk import data_shares, mutual_links

Found = tuple[Floats, float | None, Kemeny | None]


def _fastest(linked: Bools, law: Floats) -> Found:
    chain = fastest_mixing(linked, law)
    return chain.transition, chain.bound, None


def _metropolis(linked: Bools, law: Floats) -> Found:
    return metropolis_hastings(linked, law), None, None


def _soonest(linked: Bools, law: Floats) -> Found:
    chain, usual = minimal_kemeny(linked, law), kemeny_constant(metropolis_hastings(linked, law), law)
    told = Kemeny(constant=chain.constant, bound=chain.bound, metropolis_hastings=usual)
    return chain.transition, None, told


CHAINS: dict[str, Callable[[Bools, Floats], Found]] = {
    "fastest-mixing": _fastest,
    "metropolis-hastings": _metropolis,
    "minimal-kemeny": _soonest,
}
"""Name to what returns a chain [n, n] and what is proven of its modulus or Kemeny's constant; first the default."""


def plan_walk(
    problem: Problem, chain: str = "fastest-mixing", *, walkers: int = 1, late: int | None = None, loss: float = 0.0
) -> WalkPlan:
    """Return a plan by which modules walk over D2D links, aimed at the data shares.

    Cells share no D2D links, so that every walk stays within its cell. Devices without any link are islands of their
    own: what begins there stays there.

    Args:
        problem: the compiled scenario.
        chain: ``fastest-mixing`` or ``minimal-kemeny`` (optimised, each with a bound), or ``metropolis-hastings``.
        walkers: copies of each module on every island to begin with.
        late: start a module anew where an owner has not seen it for more than so many rounds.
        loss: probability that a hop fails.

    Raises:
        InputError: no such chain, a number out of range, or no two devices reach each other.

    Example:
        >>> from hffm_opt.problem.build import build_problem
        >>> from hffm_opt.scenario.read import load_scenario
        >>> plan = plan_walk(build_problem(load_scenario("tiny")))
        >>> [island.devices for island in plan.islands]
        [('device-0-0', 'device-0-1', 'device-0-2'), ('device-1-0', 'device-1-1', 'device-1-2')]
        >>> all(island.bound <= island.slem <= island.slem_metropolis_hastings for island in plan.islands)
        True
    """
    if chain not in CHAINS:
        raise InputError.one("--method", f"no chain is named '{chain}'", f"use one of: {', '.join(CHAINS)}")
    if walkers < 1 or (late is not None and late < 1) or not 0 <= loss < 1:
        message = f"walkers {walkers}, late {late}, loss {loss}"
        raise InputError.one("walks", message, "give walkers and late of at least 1, and a loss in [0, 1)")
    islands = [
        island_of(problem, cell.index, tuple(sorted(part)), chain)
        for cell in problem.cells
        for part in nx.connected_components(nx.from_numpy_array(mutual_links(cell)))
    ]
    if all(len(island.devices) == 1 for island in islands):
        message = "no two devices reach each other over D2D links, so that no module can walk"
        repair = "set d2d: true on devices, raise physics.d2d_range_m, or plan for training instead"
        raise InputError.one("devices", message, repair)
    return WalkPlan(
        scenario=ScenarioReference.of(problem),
        method=chain,
        islands=tuple(islands),
        walkers=walkers,
        late=late,
        loss=loss,
    )


def island_of(problem: Problem, cell_index: int, members: tuple[int, ...], chain: str) -> Island:
    """Return an island: the devices at some places of a cell, and the chain that joins them."""
    cell = problem.cells[cell_index]
    rows = np.array(members)
    linked, law = mutual_links(cell)[np.ix_(rows, rows)], data_shares(problem, cell.members[rows])
    moves, bound, kemeny = CHAINS[chain](linked, law)
    usual = slem(metropolis_hastings(linked, law), law)
    return Island(
        devices=tuple(cell.names[k] for k in members),
        transition=tuple(tuple(row) for row in moves.tolist()),
        law=tuple(law.tolist()),
        slem=min(1.0, slem(moves, law)),
        bound=bound,
        slem_metropolis_hastings=min(1.0, usual),
        kemeny=kemeny,
    )
