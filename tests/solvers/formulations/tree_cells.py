"""Random cells for the relay-tree tests, and the optimum by trying every tree."""

from __future__ import annotations

import numpy as np

from hffm_opt.seeds import derive
from hffm_opt.solvers.formulations.tree_enumeration import price_trees
from hffm_opt.solvers.formulations.tree_problem import TreeProblem


def random_cell(seed: int, n: int | None = None, *, limits: bool = True, uniform: bool = False) -> TreeProblem:
    """Draw a cell with asymmetric and missing links, ready times, delays, empty payloads and pure relays."""
    rng = derive(seed, "tree cell")
    n = int(rng.integers(1, 6)) if n is None else n
    seconds = rng.uniform(0.1, 1.0, (n + 1, n + 1)) * 1e-6
    seconds[rng.random((n + 1, n + 1)) < 0.15] = np.inf
    owners = np.ones((n, 2), dtype=bool) if uniform else rng.random((n, 3)) < 0.4
    modules = owners.shape[1]
    heads = tuple(np.flatnonzero(rng.random(n) < 0.8).tolist()) or (0,)

    def maybe(share: float) -> int | None:
        return int(rng.integers(1, 4)) if limits and rng.random() < share else None

    return TreeProblem(
        seconds_per_bit=seconds,
        joules_per_bit=rng.uniform(0.1, 1.0, (n + 1, n + 1)) * 1e-6,
        payload_bit=rng.uniform(0.5e6, 2e6, modules) * (rng.random(modules) < 0.9),
        owners=owners,
        roots=(n,) if seed % 2 == 0 else heads,
        direction=("gather", "scatter", "both")[seed % 3],
        ready_s=rng.uniform(0.0, 1.0, n),
        delay_s=rng.uniform(0.0, 0.1, (n + 1, n + 1)),
        max_hops=maybe(0.3),
        max_fan_in=maybe(0.2),
        max_uplinks=maybe(0.2),
    )


def wireless_cell(seed: int, n: int, *, uniform: bool, root: str = "edge", direction: str = "gather") -> TreeProblem:
    """Place devices around a point 600 m from the server: log-distance path loss, Rayleigh fading, four modules."""
    rng = derive(seed, "wireless cell", n)
    position = np.vstack([rng.uniform(-250.0, 250.0, (n, 2)), [600.0, 0.0]])
    distance = np.maximum(np.linalg.norm(position[:, None] - position[None], axis=2), 1.0)
    gain = rng.exponential(1.0, (n + 1, n + 1)) * 1e-3 * distance**-3.0
    cellular = (np.arange(n + 1) == n)[:, None] | (np.arange(n + 1) == n)[None, :]
    bandwidth, power = np.where(cellular, 1e6, 2e6), np.where(cellular, 1.0, 0.2)
    rate = bandwidth * np.log2(1.0 + gain * power / (4e-21 * bandwidth))
    np.fill_diagonal(rate, np.nan)
    seconds = np.nan_to_num(1.0 / rate, nan=np.inf)
    return TreeProblem(
        seconds_per_bit=seconds,
        joules_per_bit=np.where(np.isfinite(seconds), power / np.nan_to_num(rate, nan=1.0), 0.0),
        payload_bit=rng.uniform(4e6, 4e7, 4),
        owners=np.ones((n, 4), dtype=bool) if uniform else rng.random((n, 4)) < 0.5,
        roots=(n,) if root == "edge" else tuple(range(n)),
        direction=direction,
        ready_s=rng.uniform(0.0, 0.5, n),
    )


def every_cost(problem: TreeProblem) -> tuple[np.ndarray, np.ndarray]:
    """Return latency and energy of every feasible choice of head and trees."""
    priced = [price_trees(problem, direction) for direction in problem.directions]
    times, energies = [np.zeros(0)], [np.zeros(0)]
    for root in problem.roots:
        time, energy = np.zeros(1), np.zeros(1)
        for trees in priced:
            mine = trees.heads == root
            time = np.add.outer(time, trees.time_s[mine]).ravel()
            energy = np.add.outer(energy, trees.energy_j[mine]).ravel()
        times.append(time)
        energies.append(energy)
    return np.concatenate(times), np.concatenate(energies)
