"""X-Learning whose walk is aimed at the data shares, by Metropolis-Hastings or by the chain that mixes fastest.

As :mod:`.random_walk`, but the walk is at device u as often as u's share of the samples says, and starts where its law
says. The fastest chain is :func:`hffm_opt.solvers.formulations.fastest_mixing.fastest_mixing`.

Source: From Federated Learning to X-Learning (arXiv 2509.03709); Boyd, Diaconis, Xiao (2004).
"""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import numpy as np

from hffm_opt.problem.model import Cell, Ints, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.seeds import derive
from hffm_opt.solvers.heuristics.allocation.equal import equal
from hffm_opt.solvers.heuristics.allocation.full_power import full_power
from hffm_opt.solvers.heuristics.circulations.periods import longest_period
from hffm_opt.solvers.heuristics.routes.shortest import shortest_paths
from hffm_opt.solvers.heuristics.rules import Composition, HeadRule

ChainOf = Callable[[np.ndarray[tuple[int, int], np.dtype[np.bool_]], Floats], Floats]


def data_shares(problem: Problem, rows: Ints) -> Floats:
    """Return the share of the samples that each of some devices holds; one without samples counts as one sample."""
    devices = problem.scenario.devices
    held = np.array([max(1, sum(devices[u].samples.values())) for u in rows.tolist()], dtype=float)
    return held / held.sum()


def mutual_links(cell: Cell) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Return which devices of a cell reach each other both ways, [n, n]."""
    return np.asarray((cell.d2d_gain > 0) & (cell.d2d_gain.T > 0))


def metropolis(linked: np.ndarray[tuple[int, int], np.dtype[np.bool_]], law: Floats) -> Floats:
    """Return the Metropolis-Hastings chain."""
    from hffm_opt.solvers.formulations.fastest_mixing import metropolis_hastings

    return metropolis_hastings(linked, law)


def fastest(linked: np.ndarray[tuple[int, int], np.dtype[np.bool_]], law: Floats) -> Floats:
    """Return the chain that mixes fastest."""
    from hffm_opt.solvers.formulations.fastest_mixing import fastest_mixing

    return fastest_mixing(linked, law).transition


def walking_by(chain_of: ChainOf) -> HeadRule:
    """Return the rule by which the head walks along a chain aimed at the data shares.

    Where the links leave islands, the walk stays on the one where it starts, aimed at the shares there.
    """

    def heads(problem: Problem, cell: Cell, able: Ints, kinds: int, seed: int) -> tuple[int, ...]:
        rng = derive(seed, "optimised walk", cell.edge.name)
        linked = mutual_links(cell)[np.ix_(able, able)]
        shares = data_shares(problem, cell.members[able])
        at = int(rng.choice(able.size, p=shares))
        island = sorted(nx.node_connected_component(nx.from_numpy_array(linked), at))
        law = shares[island] / shares[island].sum()
        chain = chain_of(linked[np.ix_(island, island)], law)
        place, found = island.index(at), [int(able[at])]
        for _ in range(kinds - 1):
            place = int(rng.choice(len(island), p=chain[place]))
            found.append(int(able[island[place]]))
        return tuple(found)

    return heads


def _walk(chain_of: ChainOf) -> Composition:
    return Composition(
        longest_period(clustered=True), shortest_paths, equal, full_power, walking_by(chain_of), drawn=True
    )


X_LEARNING_SHARES, X_LEARNING_OPTIMISED = _walk(metropolis), _walk(fastest)
