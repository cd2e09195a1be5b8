"""Which edge serves which user, by distance alone: the nearest, or the nearest of those with room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hffm_opt.errors import InputError


def nearest_edges(distance_m: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the nearest edge of every user; ``distance_m`` is [users, edges]."""
    return np.asarray(np.argmin(distance_m, axis=1), dtype=np.int64)


def capacity_aware_edges(distance_m: NDArray[np.float64], most_users: int) -> NDArray[np.int64]:
    """Return the edge of every user with the least total distance under a limit on each edge's users.

    ``min sum_uk d_uk x_uk  s.t.  sum_k x_uk = 1,  sum_u x_uk <= most_users``: a transportation problem, solved exactly
    as an assignment of users to ``most_users`` places at every edge.

    Args:
        distance_m: [users, edges] in m.
        most_users: limit on the users of each edge.

    Returns:
        The index of each user's edge, [users].

    Raises:
        InputError: the edges together have less room than there are users.
    """
    # Imported late, so that reading a scenario does not wait for scipy.
    from scipy.optimize import linear_sum_assignment

    users, edges = distance_m.shape
    if users > most_users * edges:
        raise InputError.one(
            "max_users_per_edge",
            f"{edges} edges with room for {most_users} each cannot serve {users} users",
            f"give at least {-(-users // edges)}",
        )
    places = min(most_users, users)
    rows, columns = linear_sum_assignment(np.repeat(distance_m, places, axis=1))
    chosen = np.empty(users, dtype=np.int64)
    chosen[rows] = columns // places
    return chosen
