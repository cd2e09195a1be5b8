from __future__ import annotations

import numpy as np
import pytest

from hffm_opt.errors import InputError
from hffm_opt.solvers.formulations.tree_cost import tree_cost
from hffm_opt.solvers.formulations.tree_problem import Direction, TreeProblem

ABSENT = np.inf


def chain(**changes: object) -> TreeProblem:
    """Devices 0 -> 1 -> edge (2): device 0 owns a 2-bit module, device 1 a 3-bit one, a third is owned by both."""
    values: dict[str, object] = {
        "seconds_per_bit": np.array([[ABSENT, 2.0, ABSENT], [5.0, ABSENT, 3.0], [ABSENT, 7.0, ABSENT]]),
        "joules_per_bit": np.array([[0.0, 0.5, 0.0], [0.25, 0.0, 4.0], [0.0, 1.0, 0.0]]),
        "payload_bit": np.array([2.0, 3.0, 10.0]),
        "owners": np.array([[True, False, True], [False, True, True]]),
        "roots": (2,),
        "ready_s": np.array([1.0, 30.0]),
        "delay_s": np.array([[0.0, 0.5, 0.0], [0.25, 0.0, 0.125], [0.0, 1.0, 0.0]]),
    }
    return TreeProblem(**{**values, **changes})


def test_gathering_by_hand() -> None:
    cost = tree_cost(chain(), None, (1, 2), ())
    # 0 sends 12 bits by 1 + 0.5 + 24 = 25.5; 1 is ready at 30 and sends 15 bits in 0.125 + 45.
    assert cost.time_s == 75.125
    assert cost.energy_j == 12 * 0.5 + 15 * 4.0


def test_scattering_by_hand() -> None:
    cost = tree_cost(chain(direction=Direction.SCATTER), None, (), (1, 2))
    # 15 bits to 1 take 1 + 105, then 12 bits to 0 take 0.25 + 60; training is over, so ready times do not count.
    assert cost.time_s == 166.25
    assert cost.energy_j == 15 * 1.0 + 12 * 0.25


def test_a_device_outside_the_tree_still_ends_its_training() -> None:
    lone = chain(roots=(0, 1), owners=np.array([[True, False, True], [False, False, False]]), direction="both")
    assert tree_cost(lone, 0, (-1, -1), (-1, -1)).time_s == 30.0


@pytest.mark.parametrize(
    ("head", "parents", "message"),
    [
        (None, (1, 0), "does not end at the root"),
        (None, (1, -1), "owns a module"),
        (None, (2, 2), "no link 0 to 2"),
        (None, (1,), "1 entries for 2 devices"),
        (1, (1, -1), "may not be the root"),
    ],
)
def test_what_is_no_tree_is_refused(head: int | None, parents: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tree_cost(chain(), head, parents, ())


@pytest.mark.parametrize(
    ("limit", "parents"),
    [({"max_hops": 1}, (1, 2, 3)), ({"max_fan_in": 1}, (2, 2, 3)), ({"max_uplinks": 1}, (3, 3, 3))],
)
def test_limits_are_kept(limit: dict[str, int], parents: tuple[int, ...]) -> None:
    links = np.ones((4, 4))
    free = TreeProblem(links, links, np.ones(1), np.ones((3, 1), bool), (3,))
    assert tree_cost(free, None, parents, ()).time_s > 0
    with pytest.raises(InputError, match="exceed"):
        tree_cost(TreeProblem(links, links, np.ones(1), np.ones((3, 1), bool), (3,), **limit), None, parents, ())
