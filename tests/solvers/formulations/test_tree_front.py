from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hffm_opt.solvers.formulations.tree_front import nondominated

POINTS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=40)


@given(POINTS)
def test_the_filter_keeps_every_nondominated_point_once(points: list[tuple[int, int]]) -> None:
    time, energy = np.array(points, dtype=float).T
    expected = sorted({p for p in points if not any(q[0] <= p[0] and q[1] <= p[1] and q != p for q in points)})
    assert [points[index] for index in nondominated(time, energy)] == expected


def test_points_that_differ_by_rounding_are_one() -> None:
    time = np.array([1.0, 1.0 + 1e-13, 2.0, 3.0])
    energy = np.array([5.0, 4.0, 4.0 - 1e-13, 2.0])
    assert nondominated(time, energy).tolist() == [1, 3]


def test_nothing_in_nothing_out() -> None:
    assert nondominated(np.zeros(0), np.zeros(0)).size == 0
