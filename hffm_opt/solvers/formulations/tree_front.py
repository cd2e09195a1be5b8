"""Nondominated latency and energy: the filter, and the complete fronts of small cells by enumeration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hffm_opt.solvers.formulations.tree_enumeration import PricedTrees, price_trees
from hffm_opt.solvers.formulations.tree_problem import Direction, Floats, TreeProblem, TreeSolution

Ints = NDArray[np.int64]

RESOLUTION = 1e-7
"""Points whose latency or energy differ by less than this share of the value count as equal in it."""


@dataclass(frozen=True)
class FrontPoint:
    """A tree of one direction with its latency and energy."""

    parents: tuple[int, ...]
    time_s: float
    energy_j: float


def nondominated(time_s: Floats, energy_j: Floats) -> Ints:
    """Return the indices of the nondominated points by rising latency, one for each distinct point.

    >>> nondominated(np.array([2.0, 1.0, 3.0, 2.0]), np.array([1.0, 4.0, 1.0, 2.0])).tolist()
    [1, 0]
    """
    order = np.lexsort((energy_j, time_s))
    energies = energy_j[order]
    best_before = np.minimum.accumulate(np.concatenate([[np.inf], energies[:-1]]))
    kept: list[int] = []
    for index in order[energies < best_before]:
        if kept and energy_j[index] >= energy_j[kept[-1]] * (1 - RESOLUTION):
            continue
        # Two latencies that differ by rounding are one point: the cheaper tree stands for it.
        while kept and time_s[index] <= time_s[kept[-1]] * (1 + RESOLUTION):
            kept.pop()
        kept.append(int(index))
    return np.array(kept, dtype=np.int64)


def combine_fronts(root: int, n: int, fronts: dict[Direction, tuple[FrontPoint, ...]]) -> tuple[TreeSolution, ...]:
    """Return the nondominated pairs of one root's gathering and scattering trees, whose costs add up."""
    head = None if root == n else root
    if len(fronts) == 1:
        direction, points = next(iter(fronts.items()))
        gather = direction is Direction.GATHER
        return tuple(
            TreeSolution(head, p.parents if gather else (), () if gather else p.parents, p.time_s, p.energy_j)
            for p in points
        )
    up, down = fronts[Direction.GATHER], fronts[Direction.SCATTER]
    time = np.add.outer([p.time_s for p in up], [p.time_s for p in down]).ravel()
    energy = np.add.outer([p.energy_j for p in up], [p.energy_j for p in down]).ravel()
    pairs = [divmod(int(index), len(down)) for index in nondominated(time, energy)]
    return tuple(
        TreeSolution(
            head,
            up[i].parents,
            down[j].parents,
            up[i].time_s + down[j].time_s,
            up[i].energy_j + down[j].energy_j,
        )
        for i, j in pairs
    )


def merge_fronts(fronts: list[tuple[TreeSolution, ...]]) -> tuple[TreeSolution, ...]:
    """Return the nondominated solutions of several roots together, by rising latency."""
    every = [solution for front in fronts for solution in front]
    keep = nondominated(np.array([s.time_s for s in every]), np.array([s.energy_j for s in every]))
    return tuple(every[int(index)] for index in keep)


def enumerated_front(problem: TreeProblem) -> tuple[TreeSolution, ...]:
    """Return the complete front of a cell of at most six devices from the list of all its trees; empty if
    infeasible.
    """
    priced = {direction: price_trees(problem, direction) for direction in problem.directions}
    fronts: list[tuple[TreeSolution, ...]] = []
    for root in problem.roots:
        halves = {direction: _front_of(trees, root) for direction, trees in priced.items()}
        if all(halves.values()):
            fronts.append(combine_fronts(root, problem.n, halves))
    return merge_fronts(fronts)


def _front_of(trees: PricedTrees, root: int) -> tuple[FrontPoint, ...]:
    rows = np.flatnonzero(trees.heads == root)
    rows = rows[nondominated(trees.time_s[rows], trees.energy_j[rows])]
    return tuple(
        FrontPoint(tuple(trees.parents[row].tolist()), float(trees.time_s[row]), float(trees.energy_j[row]))
        for row in rows
    )
