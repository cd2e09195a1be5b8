from __future__ import annotations

import numpy as np
import pytest

from hffm_opt.errors import InfeasibleError, InputError
from hffm_opt.solvers.formulations.tree_problem import TreeProblem, check_reachable

LINKS = np.ones((3, 3))


def test_every_fault_of_a_problem_is_reported_at_once() -> None:
    with pytest.raises(InputError) as caught:
        TreeProblem(
            LINKS,
            LINKS,
            payload_bit=np.array([-1.0]),
            owners=np.ones((2, 1), bool),
            roots=(5,),
            ready_s=np.array([np.nan, 0.0]),
            max_hops=0,
        )
    assert {finding.path for finding in caught.value.findings} == {"payload_bit", "ready_s", "roots", "max_hops"}


def test_a_cut_off_owner_is_named() -> None:
    links = np.full((3, 3), np.inf)
    links[0, 2] = 1.0
    cell = TreeProblem(links, np.ones((3, 3)), np.ones(1), np.ones((2, 1), bool), (2,), names=("alice", "bob"))
    with pytest.raises(InfeasibleError, match="bob owns a module and cannot reach the edge server") as caught:
        check_reachable(cell)
    assert len(caught.value.findings) == 1


def test_the_problem_keeps_its_own_arrays() -> None:
    ready = np.array([1.0, 2.0])
    cell = TreeProblem(LINKS, LINKS, np.ones(1), np.ones((2, 1), bool), (2,), ready_s=ready)
    ready[0] = 99.0
    assert cell.ready_s[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        cell.ready_s[0] = 5.0
