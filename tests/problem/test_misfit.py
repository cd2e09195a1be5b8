"""The misfit of copies, and that the laws which planning assumes are those that training draws."""

import numpy as np
import pytest

from hffm_opt.learning.tasks import TaskData, partition
from hffm_opt.problem.misfit import answer_mass, misfit, total_variation
from hffm_opt.scenario.heterogeneity import device_law, shares_seed
from hffm_opt.scenario.read import load_scenario


def test_the_law_is_that_of_the_training():
    answers = np.repeat(np.arange(6), 20_000)
    tokens = np.zeros((len(answers), 1), dtype=np.int64)
    data = TaskData(np.zeros((len(answers), 1, 1, 3), dtype=np.uint8), tokens, tokens, answers, ("a",) * len(answers))
    shares = partition(data, [4000, 4000, 4000], 0.5, shares_seed(5, "digits"))
    for u, share in enumerate(shares):
        found = np.bincount(answers[share], minlength=6) / len(share)
        assert total_variation(found, device_law(5, "digits", u, 6, 0.5)) < 0.03


def test_own_data_fit_best_and_many_samples_fit_better():
    scenario = load_scenario("tiny")
    mass = answer_mass(scenario, [d.samples for d in scenario.devices], ["digits"], 0)
    assert mass.sum(axis=1).tolist() == pytest.approx([24, 32, 0, 32, 24, 24])
    own = misfit(mass[0], mass[0])
    assert own == pytest.approx(24**-0.5)
    assert all(misfit(mass[u], mass[0]) > own for u in (1, 3))
    assert misfit(4 * mass[1], mass[0]) < misfit(mass[1], mass[0])
    assert misfit(mass[2], mass[0]) == np.inf
