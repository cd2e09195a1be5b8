"""Lower bounds on latency and energy that need no solver, and the shortest own-load times behind them.

Every device's load travels its own path, so for a fixed root and direction

    T >= max(floor, max over required k of ready_k + shortest time from k to the root under k's own load)
    E >= sum over required k, not the root, of own_bit_k * min over k's arcs of joules_per_bit
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hffm_opt.solvers.formulations.tree_problem import Floats, TreeProblem, half_of

Ints = NDArray[np.int64]


def simple_bounds(problem: TreeProblem) -> Floats:
    """Return lower bounds on latency [s] and energy [J] for every allowed root, [R, 2]."""
    bounds = np.zeros((len(problem.roots), 2))
    required = np.flatnonzero(problem.required)
    own_bit = problem.owners @ problem.payload_bit
    for direction in problem.directions:
        half = half_of(problem, direction)
        links = np.isfinite(half.seconds_per_bit) & ~np.eye(problem.n, problem.n + 1, dtype=bool)
        links[:, problem.n] &= not problem.head_is_device
        weight = link_times(links, half.seconds_per_bit, half.delay_s, own_bit[required])
        joules = own_bit[:, None] * np.where(links, half.joules_per_bit, 0.0)
        cheapest = np.where(links, joules, np.inf).min(axis=1)
        for row, root in enumerate(problem.roots):
            left = shortest_remaining(weight, (root,))[np.arange(required.size), required]
            latest = (half.ready_s[required] + left).max(initial=half.floor_s)
            senders = required[required != root]
            bounds[row] += latest, cheapest[senders].sum()
    return bounds


def link_times(links: NDArray[np.bool_], seconds_per_bit: Floats, delay_s: Floats, load_bit: Floats) -> Floats:
    """Return the seconds [K, n, n+1] of every link under each of the loads [K], infinite where there is no link."""
    seconds = np.where(links, seconds_per_bit, 0.0)
    return np.where(links, seconds * load_bit[:, None, None] + delay_s, np.inf)


def shortest_remaining(weight: Floats, roots: tuple[int, ...]) -> Floats:
    """Return the least time [K, n+1] from each node to a root under each of the link times ``weight`` [K, n, n+1]."""
    kinds, n, _ = weight.shape
    left = np.full((kinds, n + 1), np.inf)
    left[:, list(roots)] = 0.0
    for _ in range(n):
        left[:, :n] = np.minimum(left[:, :n], (weight + left[:, None, :]).min(axis=2))
    return left


def shortest_reaching(weight: Floats, sources: Ints) -> Floats:
    """Return the least time [K, n] from source k to each device under the link times ``weight`` [K, n, n+1]."""
    kinds, n, _ = weight.shape
    reached = np.full((kinds, n), np.inf)
    reached[np.arange(kinds), sources] = 0.0
    for _ in range(n):
        reached = np.minimum(reached, (reached[:, :, None] + weight[:, :, :n]).min(axis=1))
    return reached
