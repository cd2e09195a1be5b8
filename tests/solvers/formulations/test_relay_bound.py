from __future__ import annotations

import pytest
from tree_cells import every_cost, random_cell

from hffm_opt.solvers.formulations.relay_bound import simple_bounds


@pytest.mark.parametrize("seed", range(60))
def test_no_tree_is_faster_or_cheaper_than_the_bounds(seed: int) -> None:
    problem = random_cell(seed)
    times, energies = every_cost(problem)
    least_time, least_energy = simple_bounds(problem).min(axis=0)
    assert (times >= least_time * (1 - 1e-12)).all()
    assert (energies >= least_energy * (1 - 1e-12)).all()


def test_the_bounds_are_met_where_sending_straight_is_best() -> None:
    """With one hop allowed and equal owners the star is the only tree, and its latency is the bound."""
    cells = [random_cell(seed, 3, limits=False, uniform=True) for seed in range(0, 60, 6)]
    close = [every_cost(cell)[0].min(initial=float("inf")) / simple_bounds(cell)[0, 0] for cell in cells]
    assert min(close) == pytest.approx(1.0)
