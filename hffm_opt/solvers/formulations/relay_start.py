"""Good trees without a proof: shortest-path and nearest-link trees, improved one parent at a time.

They start and bound the exact search. All candidates of a step are priced together by the path matrix, as the
trees of :mod:`~hffm_opt.solvers.formulations.tree_enumeration` are.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hffm_opt.seeds import derive
from hffm_opt.solvers.formulations.tree_enumeration import arc_loads, path_matrix
from hffm_opt.solvers.formulations.tree_problem import (
    Bools,
    Direction,
    Floats,
    TreeHalf,
    TreeProblem,
    TreeSolution,
    half_of,
)

Ints = NDArray[np.int64]


SWEEPS = 60
"""Moves after which local search gives up; cells of forty devices need about twenty."""


@dataclass(frozen=True)
class Goal:
    """Minimise ``weight_time * T + weight_energy * E`` within limits; excess over a limit is priced at
    ``penalty``.
    """

    weight_time: float
    weight_energy: float
    max_time_s: float = math.inf
    max_energy_j: float = math.inf

    def merit(self, time_s: Floats, energy_j: Floats) -> Floats:
        """Return what local search minimises: relative violation first (times 1e9), then the objective."""
        over = np.zeros(np.shape(time_s))
        for value, limit in ((time_s, self.max_time_s), (energy_j, self.max_energy_j)):
            if math.isfinite(limit):
                over = over + np.maximum(0.0, value - limit * (1 + 1e-12)) / (limit or 1.0)
        return np.asarray(self.weight_time * time_s + self.weight_energy * energy_j + 1e9 * over)


def starting_trees(
    problem: TreeProblem, goal: Goal, *, kicks: int = 0, seed: int = 0, deadline: float = math.inf
) -> list[TreeSolution]:
    """Return one improved tree pair per root, best first; empty where the construction meets no feasible
    tree.

    The two directions of a pair are improved one after the other, each with the other's cost held fixed. ``kicks``
    times the result is shaken by moving three random devices and improved again (iterated local search), but not after
    ``deadline`` on ``time.perf_counter``.
    """
    found: list[tuple[float, TreeSolution]] = []
    for root in problem.roots:
        halves = {d: half_of(problem, d) for d in problem.directions}
        trees = {d: _construct(problem, half, root, goal) for d, half in halves.items()}
        if any(tree is None for tree in trees.values()):
            continue
        parents = {d: tree for d, tree in trees.items() if tree is not None}
        costs = {d: _price(problem, halves[d], parents[d][None]) for d in parents}
        for _ in range(2):
            for d in parents:
                others = [costs[o] for o in parents if o is not d]
                base = sum(float(c[0][0]) for c in others), sum(float(c[1][0]) for c in others)
                parents[d] = _improve(problem, halves[d], root, parents[d], goal, base)
                if kicks:
                    rng = derive(seed, "kicks", root, d)
                    parents[d] = _shaken(problem, halves[d], root, parents[d], goal, base, kicks, rng, deadline)
                costs[d] = _price(problem, halves[d], parents[d][None])
        time_s = sum(float(c[0][0]) for c in costs.values())
        energy_j = sum(float(c[1][0]) for c in costs.values())
        solution = TreeSolution(
            head=None if root == problem.n else root,
            up_parent=_tuple(parents.get(Direction.GATHER)),
            down_parent=_tuple(parents.get(Direction.SCATTER)),
            time_s=time_s,
            energy_j=energy_j,
        )
        found.append((float(goal.merit(np.array(time_s), np.array(energy_j))), solution))
    found.sort(key=lambda pair: pair[0])
    return [solution for _, solution in found]


def _tuple(parents: Ints | None) -> tuple[int, ...]:
    return () if parents is None else tuple(int(p) for p in parents)


def _price(problem: TreeProblem, half: TreeHalf, parents: Ints) -> tuple[Floats, Floats]:
    """Return latency [N] and energy [N] of trees [N, n]."""
    n = problem.n
    load = arc_loads(parents, problem.owners, problem.payload_bit)
    inside = parents >= 0
    arc = np.arange(n), np.where(inside, parents, 0)
    seconds = np.where(inside, half.delay_s[arc] + load * np.where(inside, half.seconds_per_bit[arc], 0.0), 0.0)
    joules = np.where(inside, load * np.where(inside, half.joules_per_bit[arc], 0.0), 0.0)
    arrival = half.ready_s + (path_matrix(parents) @ seconds[:, :, None])[:, :, 0]
    return np.maximum(half.floor_s, arrival.max(axis=1)), joules.sum(axis=1)


def _within_limits(problem: TreeProblem, parents: Ints) -> Bools:
    n = problem.n
    ok = np.ones(parents.shape[0], dtype=bool)
    if problem.max_hops is not None:
        ok &= path_matrix(parents).sum(axis=2).max(axis=1) <= problem.max_hops
    if problem.max_fan_in is not None or problem.max_uplinks is not None:
        children = (parents[:, :, None] == np.arange(n + 1)).sum(axis=1)
        if problem.max_fan_in is not None:
            ok &= (children[:, :n] <= problem.max_fan_in).all(axis=1)
        if problem.max_uplinks is not None:
            ok &= children[:, n] <= problem.max_uplinks
    return ok


def _construct(problem: TreeProblem, half: TreeHalf, root: int, goal: Goal) -> Ints | None:
    """Grow trees from the root by Dijkstra's and by Prim's rule within the limits; return the one of best
    merit.
    """
    made = [_grow(problem, half, root, goal, cumulative) for cumulative in (1.0, 0.3, 0.0)]
    grown = [tree for tree in made if tree is not None]
    if not grown:
        return None
    merit = goal.merit(*_price(problem, half, np.stack(grown)))
    return grown[int(merit.argmin())]


def _grow(problem: TreeProblem, half: TreeHalf, root: int, goal: Goal, cumulative: float) -> Ints | None:
    """Add the node of least ``cumulative * label(parent) + arc`` until all required are in (1 Dijkstra, 0
    Prim).
    """
    n = problem.n
    there = np.isfinite(half.seconds_per_bit)
    load = problem.payload_bit[problem.owners.any(axis=0)].sum()
    seconds = np.where(there, half.seconds_per_bit, 0.0) * load + half.delay_s
    joules = np.where(there, half.joules_per_bit, 0.0) * load
    time_weight = goal.weight_time or (1.0 if math.isfinite(goal.max_time_s) else 0.0)
    weight = np.where(there, time_weight * seconds + goal.weight_energy * joules, np.inf)
    parent = np.full(n, -1, dtype=np.int64)
    label = np.full(n + 1, np.inf)
    hops = np.zeros(n + 1, dtype=np.int64)
    children = np.zeros(n + 1, dtype=np.int64)
    inside = np.zeros(n + 1, dtype=bool)
    label[root], inside[root] = 0.0, True
    limits = np.full(n + 1, n + 1 if problem.max_fan_in is None else problem.max_fan_in)
    limits[n] = n + 1 if problem.max_uplinks is None else problem.max_uplinks
    max_hops = n + 1 if problem.max_hops is None else problem.max_hops
    while not inside[:n][problem.required].all():
        open_parent = inside & (children < limits) & (hops < max_hops)
        cost = np.where(open_parent & ~inside[:n, None], cumulative * np.where(inside, label, 0.0) + weight, np.inf)
        v, p = np.unravel_index(int(cost.argmin()), cost.shape)
        if not np.isfinite(cost[v, p]):
            return None
        parent[v], inside[v], label[v], hops[v] = p, True, label[p] + weight[v, p], hops[p] + 1
        children[p] += 1
    return _prune(problem, parent)


def _prune(problem: TreeProblem, parent: Ints) -> Ints:
    """Drop leaves that own nothing."""
    kept = parent.copy()
    while True:
        leaf = (kept >= 0) & ~problem.required & ~np.isin(np.arange(problem.n), kept)
        if not leaf.any():
            return kept
        kept[leaf] = -1


def _improve(
    problem: TreeProblem,
    half: TreeHalf,
    root: int,
    parents: Ints,
    goal: Goal,
    base: tuple[float, float],
) -> Ints:
    """Move the best single device to another parent (through an unused relay, too) until nothing gets better."""
    n = problem.n
    there = np.isfinite(half.seconds_per_bit) & ~np.eye(n, n + 1, dtype=bool)
    there[:, n] &= root == n
    if root < n:
        there[root] = False
    child, parent = np.nonzero(there)

    def merit(trees: Ints) -> Floats:
        time_s, energy_j = _price(problem, half, trees)
        return goal.merit(base[0] + time_s, base[1] + energy_j)

    best, value = parents, float(merit(parents[None])[0])
    for _ in range(SWEEPS):
        inside = (best >= 0) | (np.arange(n) == root)
        moved = np.repeat(best[None], child.size, axis=0)
        moved[np.arange(child.size), child] = parent
        usable = inside[child] & (best[child] != parent) & np.append(inside, root == n)[parent]
        joined = _through_new_relays(best, inside, child, parent)
        trees = np.concatenate([moved[usable], joined])
        trees = trees[_rooted(trees, root)]
        trees = np.array([_prune(problem, tree) for tree in trees]).reshape(-1, n)
        trees = trees[_within_limits(problem, trees)] if trees.size else trees
        if not trees.size:
            break
        values = merit(trees)
        pick = int(values.argmin())
        if values[pick] >= value * (1 - 1e-12):
            break
        best, value = trees[pick], float(values[pick])
    return best


def _shaken(
    problem: TreeProblem,
    half: TreeHalf,
    root: int,
    parents: Ints,
    goal: Goal,
    base: tuple[float, float],
    kicks: int,
    rng: np.random.Generator,
    deadline: float,
) -> Ints:
    """Move three random devices of the best tree to random parents and improve, ``kicks`` times; keep the best."""

    def merit(tree: Ints) -> float:
        time_s, energy_j = _price(problem, half, tree[None])
        return float(goal.merit(base[0] + time_s, base[1] + energy_j)[0])

    best, value = parents, merit(parents)
    inside = np.flatnonzero(parents >= 0)
    for _ in range(kicks if inside.size > 3 else 0):
        if time.perf_counter() >= deadline:
            break
        tree = best.copy()
        for v in rng.choice(np.flatnonzero(tree >= 0), size=3, replace=False):
            open_to = np.flatnonzero(np.isfinite(half.seconds_per_bit[v]))
            open_to = open_to[(open_to != v) & ((open_to == root) | np.append(tree >= 0, False)[open_to])]
            if open_to.size:
                tree[v] = rng.choice(open_to)
        tree = _prune(problem, tree)
        if not (_rooted(tree[None], root).all() and _within_limits(problem, tree[None]).all()):
            continue
        tree = _improve(problem, half, root, tree, goal, base)
        if merit(tree) < value:
            best, value = tree, merit(tree)
    return best


def _through_new_relays(parents: Ints, inside: Bools, child: Ints, parent: Ints) -> Ints:
    """Return the trees in which one device sends through a relay that was outside, which sends to where it
    did.
    """
    n = parents.size
    pick = inside[child] & (parents[child] >= 0) & ~np.append(inside, True)[parent]
    rows: list[Ints] = []
    existing = set(zip(child.tolist(), parent.tolist(), strict=True))
    for v, relay in zip(child[pick], parent[pick], strict=True):
        if (int(relay), int(parents[v])) in existing:
            tree = parents.copy()
            tree[relay], tree[v] = parents[v], relay
            rows.append(tree)
    return np.array(rows, dtype=np.int64).reshape(-1, n)


def _rooted(parents: Ints, root: int) -> Bools:
    """Return which rows hold no cycle."""
    rows, n = parents.shape
    step = np.concatenate([parents, np.full((rows, 2), -1)], axis=1)
    at = np.broadcast_to(np.arange(n), (rows, n))
    for _ in range(n):
        following = np.take_along_axis(step, at, axis=1)
        at = np.where(following < 0, at, following)
    return np.asarray(((parents < 0) | (at == root)).all(axis=1))
