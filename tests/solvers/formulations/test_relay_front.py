from __future__ import annotations

import numpy as np
import pytest
from tree_cells import every_cost, random_cell, wireless_cell

from hffm_opt.errors import InfeasibleError, LimitReachedError
from hffm_opt.solvers.formulations.relay_front import FrontMethod, min_energy, min_time, pareto_front
from hffm_opt.solvers.formulations.tree_cost import tree_cost
from hffm_opt.solvers.formulations.tree_problem import TreeProblem, TreeSolution


def costs(front: tuple[TreeSolution, ...]) -> np.ndarray:
    return np.array([(solution.time_s, solution.energy_j) for solution in front])


@pytest.mark.parametrize("seed", range(60))
def test_both_methods_find_exactly_the_nondominated_costs(seed: int) -> None:
    problem = random_cell(seed)
    times, energies = every_cost(problem)
    if not times.size:
        for method in FrontMethod:
            with pytest.raises(InfeasibleError):
                pareto_front(problem, method)
        return
    dominated = (
        (times[:, None] >= times)
        & (energies[:, None] >= energies)
        & ((times[:, None] > times) | (energies[:, None] > energies))
        if times.size < 3000
        else None
    )
    enumerated = pareto_front(problem, FrontMethod.ENUMERATION)
    if dominated is not None:
        expected = np.unique(np.column_stack([times, energies])[~dominated.any(axis=1)].round(9), axis=0)
        assert costs(enumerated) == pytest.approx(expected, rel=1e-7)
    for solution in enumerated:
        cost = tree_cost(problem, solution.head, solution.up_parent, solution.down_parent)
        assert (cost.time_s, cost.energy_j) == pytest.approx((solution.time_s, solution.energy_j), rel=1e-12)
    assert costs(pareto_front(problem, FrontMethod.PROGRAM)) == pytest.approx(costs(enumerated), rel=1e-7)


@pytest.mark.parametrize("seed", range(12))
def test_the_ends_are_the_ends_of_the_front(seed: int) -> None:
    problem = random_cell(seed, 4, limits=False)
    front = pareto_front(problem)
    for end, expected in ((min_time, front[0]), (min_energy, front[-1])):
        for method in FrontMethod:
            found = end(problem, method)
            assert (found.time_s, found.energy_j) == pytest.approx((expected.time_s, expected.energy_j), rel=1e-6)


def test_a_front_falls_strictly() -> None:
    front = costs(pareto_front(wireless_cell(3, 6, uniform=False, root="device", direction="both")))
    assert len(front) > 1
    assert (np.diff(front[:, 0]) > 0).all()
    assert (np.diff(front[:, 1]) < 0).all()


def test_an_unfinished_front_is_no_front() -> None:
    with pytest.raises(LimitReachedError, match="not complete"):
        pareto_front(wireless_cell(0, 9, uniform=False), FrontMethod.PROGRAM, time_limit_s=0.05)


def test_a_cut_off_device_is_named() -> None:
    links = np.full((3, 3), np.inf)
    links[0, 2] = 1.0
    cell = TreeProblem(links, np.ones((3, 3)), np.ones(1), np.ones((2, 1), bool), (2,))
    with pytest.raises(InfeasibleError, match="device 1 owns a module"):
        pareto_front(cell)
