from __future__ import annotations

import numpy as np
import pytest
from tree_cells import every_cost, random_cell, wireless_cell

from hffm_opt.solvers.formulations.relay_program import repriced
from hffm_opt.solvers.formulations.relay_start import Goal, starting_trees


@pytest.mark.parametrize("seed", range(60))
def test_starts_are_real_trees_and_never_better_than_the_best(seed: int) -> None:
    problem = random_cell(seed)
    times, energies = every_cost(problem)
    for start in starting_trees(problem, Goal(1.0, 1.0)):
        again = repriced(problem, start)
        assert again.time_s + again.energy_j >= (times + energies).min() * (1 - 1e-12)


def test_starts_are_close_to_the_best_on_small_cells() -> None:
    ratios = []
    for seed in range(60):
        problem = random_cell(seed, limits=False)
        times, energies = every_cost(problem)
        starts = starting_trees(problem, Goal(1.0, 1.0))
        if starts and starts[0].energy_j > 0:
            ratios += [(starts[0].time_s + starts[0].energy_j) / (times + energies).min()]
    assert len(ratios) > 40
    assert np.mean(ratios) < 1.01


def test_kicks_never_harm_and_sometimes_help() -> None:
    def value(seed: int, kicks: int) -> float:
        best = starting_trees(wireless_cell(seed, 16, uniform=False), Goal(1.0, 1.0), kicks=kicks)[0]
        return best.time_s + best.energy_j

    plain, shaken = (np.array([value(seed, kicks) for seed in (0, 2)]) for kicks in (0, 10))
    assert (shaken <= plain * (1 + 1e-12)).all()
    assert (shaken < plain * (1 - 1e-6)).any()


def test_the_same_seed_gives_the_same_start() -> None:
    problem = wireless_cell(5, 10, uniform=False)
    first, second = (starting_trees(problem, Goal(1.0, 1.0), kicks=6, seed=3) for _ in range(2))
    assert first == second
