"""How soon routes can bring all copies, and which shares of the links' time do it: one number to find.

Transfer k with the fixed delay d_k has to end by ``min(D_k, T)`` for the last to end by T. A hop of R_i bit/s then
needs the share ``b_k / (R_i (min(D_k, T) - d_k))`` of its resource's time, and no more. These shares shrink as T grows,
so that the least T at which no resource gives away more than all its time is found by bisection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hffm_opt.plan.holders import RelayingProblem
from hffm_opt.plan.limits import TOLERANCE
from hffm_opt.problem.radio import Floats
from hffm_opt.problem.relay_network import RelayNetwork

STEPS = 200
ROUNDING = TOLERANCE / 2
"""By how much an engine may exceed a resource's time where deadlines leave none to spare; the referee allows double."""


@dataclass(frozen=True)
class Route:
    """Where a copy comes from, as nodes from the holder to the device; empty for a module begun from scratch."""

    nodes: tuple[int, ...]

    def arcs(self, network: RelayNetwork) -> list[int]:
        """Return the links of the route."""
        return [network.arc[pair] for pair in pairwise(self.nodes)]


@dataclass(frozen=True, eq=False)
class Timing:
    """Routes as figures: airtime [K, R] of every transfer on every resource in s, fixed delays [K], deadlines [K]."""

    airtime_s: Floats
    delay_s: Floats
    deadline_s: Floats

    def load(self, last_s: float, factor: float = 1.0) -> Floats:
        """Return the share of every resource's time, [R], if all end by ``last_s`` and ``factor`` times deadlines."""
        window = np.minimum(factor * self.deadline_s, last_s) - self.delay_s
        share = np.zeros(self.airtime_s.shape)
        used = self.airtime_s > 0
        late = used & (window <= 0)[:, None]
        np.divide(self.airtime_s, window[:, None], out=share, where=used & ~late)
        share[late] = np.inf
        return np.asarray(share.sum(axis=0))

    def fits(self, last_s: float, factor: float = 1.0) -> bool:
        """Return whether no resource gives away more than all its time."""
        return bool(self.load(last_s, factor).max(initial=0.0) <= 1)


def timing(relaying: RelayingProblem, routes: Sequence[Route]) -> Timing:
    """Return routes as figures."""
    network = relaying.network
    airtime = np.zeros((len(routes), len(network.resources)))
    delay = np.zeros(len(routes))
    for k, route in enumerate(routes):
        arcs = route.arcs(network)
        np.add.at(airtime[k], network.resource[arcs], airtimes(relaying, k, arcs))
        delay[k] = network.delay_s[arcs].sum() if arcs and relaying.wanted[k].bits else 0.0
    return Timing(airtime, delay, np.array([wanted.deadline_s for wanted in relaying.wanted]))


def airtimes(relaying: RelayingProblem, k: int, arcs: Sequence[int]) -> Floats:
    """Return for how many seconds a transfer keeps each hop's resource busy; a module of no bits takes next to none."""
    return np.asarray(max(relaying.wanted[k].bits, 1e-9) * relaying.network.s_per_bit[list(arcs)], dtype=float)


def least_end(when: Timing) -> float:
    """Return the least time in s at which the last copy can come, infinite if no shares keep the deadlines."""
    high = float(when.deadline_s.max(initial=0.0))
    if not when.fits(high):
        return high if when.load(high).max() <= 1 + ROUNDING else float(np.inf)
    return _least(when.fits, float(when.delay_s.max(initial=0.0)), high)


def least_factor(when: Timing) -> float:
    """Return the least number that deadlines must be multiplied with for these routes."""
    low, high = float((when.delay_s / when.deadline_s).max()), 1.0

    def enough(factor: float) -> bool:
        return when.fits(float(np.inf), factor)

    while not enough(high):
        high *= 2
    return _least(enough, low, high)


def shares(relaying: RelayingProblem, routes: Sequence[Route]) -> list[list[float]]:
    """Return the share of its resource's time that each hop of each route has: as soon as can be, or nearly in time."""
    when = timing(relaying, routes)
    end = least_end(when)
    # Where no shares keep the deadlines the referee says by how much the copies are late.
    window = np.maximum(np.minimum(when.deadline_s, end) - when.delay_s, 1e-3 * when.deadline_s * np.isinf(end))
    given = [airtimes(relaying, k, route.arcs(relaying.network)) for k, route in enumerate(routes)]
    shared = [own / window[k] if own.size else own for k, own in enumerate(given)]
    load = np.zeros(len(relaying.network.resources))
    for own, route in zip(shared, routes, strict=True):
        np.add.at(load, relaying.network.resource[route.arcs(relaying.network)], own)
    return [(own / max(1.0, float(load.max(initial=0.0)))).tolist() for own in shared]


def _least(enough: Callable[[float], bool], low: float, high: float) -> float:
    """Return the least number from which on something is enough, by bisection to the last bit."""
    for _ in range(STEPS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
