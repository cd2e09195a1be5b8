"""Plans of walking modules: the islands of D2D links, and a chain on each."""

from __future__ import annotations

import networkx as nx

from hffm_opt.errors import InputError
from hffm_opt.plan.model import ScenarioReference
from hffm_opt.plan.walks import Island, WalkPlan
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.heuristics.optimised_walk import data_shares, fastest, metropolis, mutual_links

CHAINS = {"metropolis-hastings": metropolis, "fastest-mixing": fastest}


def plan_walk(
    problem: Problem, chain: str = "fastest-mixing", *, walkers: int = 1, late: int | None = None, loss: float = 0.0
) -> WalkPlan:
    """Return a plan by which modules walk over D2D links, aimed at the data shares.

    Cells share no D2D links, so that every walk stays within its cell.

    Args:
        problem: the compiled scenario.
        chain: ``fastest-mixing`` (optimised) or ``metropolis-hastings``.
        walkers: copies of each module on every island to begin with.
        late: start a module anew where an owner has not seen it for more than so many rounds.
        loss: probability that a hop fails.

    Raises:
        InputError: no such chain, or a number out of range.

    Example:
        >>> from hffm_opt.problem.build import build_problem
        >>> from hffm_opt.scenario.read import load_scenario
        >>> [island.devices for island in plan_walk(build_problem(load_scenario("tiny"))).islands]
        [('device-0-0', 'device-0-1', 'device-0-2'), ('device-1-0', 'device-1-1', 'device-1-2')]
    """
    if chain not in CHAINS:
        raise InputError.one("chain", f"no chain is named '{chain}'", f"use one of: {', '.join(CHAINS)}")
    if walkers < 1 or (late is not None and late < 1) or not 0 <= loss < 1:
        message = f"walkers {walkers}, late {late}, loss {loss}"
        raise InputError.one("walk", message, "give walkers and late of at least 1, and a loss in [0, 1)")
    islands = []
    for cell in problem.cells:
        linked = mutual_links(cell)
        for part in nx.connected_components(nx.from_numpy_array(linked)):
            members = sorted(part)
            law = data_shares(problem, cell.members[members])
            moves = CHAINS[chain](linked[members][:, members], law)
            islands.append(
                Island(
                    devices=tuple(cell.names[k] for k in members),
                    transition=tuple(tuple(row) for row in moves.tolist()),
                    law=tuple(law.tolist()),
                )
            )
    return WalkPlan(
        scenario=ScenarioReference.of(problem),
        method=chain,
        islands=tuple(islands),
        walkers=walkers,
        late=late,
        loss=loss,
    )
