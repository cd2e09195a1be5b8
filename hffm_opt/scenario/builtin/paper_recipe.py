"""The published network, drawn exactly as its authors drew it (positions and fading from two generators).

Source: arXiv 2509.03695; the recipe and the order of draws are those of its public code (payamsiabd/M3T-FFM).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations

import numpy as np

SEED = 49
SIDE_M = 5000.0
EDGE_COUNT = 10
USERS_PER_EDGE = 4
EDGE_SPACING_M = 500.0
CENTRE_RADIUS_M = 1000.0
USER_RADIUS_M = 500.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Draw:
    """Positions in m and fading amplitudes' squared norms (mean 2) of the published network."""

    edges: tuple[Point, ...]
    users: tuple[tuple[Point, ...], ...]
    uplink_fading: tuple[tuple[float, ...], ...]
    d2d_fading: tuple[dict[tuple[int, int], float], ...]


def _inside(point: Point) -> bool:
    return 0 <= point[0] <= SIDE_M and 0 <= point[1] <= SIDE_M


def _near(generator: np.random.Generator, centre: Point, radius_m: float) -> Point:
    while True:
        radius = math.sqrt(generator.random()) * radius_m
        angle = generator.random() * 2 * math.pi
        point = (centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle))
        if _inside(point):
            return point


def draw_network() -> Draw:
    """Return the network of the published study; every call gives the same bits."""
    positions = np.random.default_rng(SEED)
    edges: list[Point] = []
    while len(edges) < EDGE_COUNT:
        x, y = (float(value) for value in positions.uniform(0, SIDE_M, size=2))
        if all(math.hypot(x - ex, y - ey) >= EDGE_SPACING_M for ex, ey in edges):
            edges.append((x, y))
    users = []
    for edge in edges:
        centre = _near(positions, edge, CENTRE_RADIUS_M)
        users.append(tuple(_near(positions, centre, USER_RADIUS_M) for _ in range(USERS_PER_EDGE)))

    fading = np.random.default_rng(SEED)

    def power() -> float:
        return float((fading.standard_normal((1, 2)) ** 2).sum())

    uplink = tuple(tuple(power() for _ in cluster) for cluster in users)
    for _ in range(EDGE_COUNT * math.comb(USERS_PER_EDGE, 2)):
        power()  # The published code rates every unordered pair once and throws the value away.
    d2d = tuple({pair: power() for pair in permutations(range(USERS_PER_EDGE), 2)} for _ in edges)
    return Draw(tuple(edges), tuple(users), uplink, d2d)
