"""The order in which a scenario lists devices and edges changes no bit of what is held, trained or measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from round_cases import plan_of
from run_cases import quick_scenario

from hffm_opt.learning.baselines.centralised import pooled_data
from hffm_opt.learning.data import federated_data, name_ranks
from hffm_opt.learning.run import train_plan
from hffm_opt.learning.weights import load_weights
from hffm_opt.problem import build_problem
from hffm_opt.scenario.model import Scenario


def shuffled(scenario: Scenario) -> Scenario:
    order = np.random.default_rng(3).permutation(len(scenario.devices))
    devices = tuple(scenario.devices[i] for i in order)
    return scenario.model_copy(update={"devices": devices, "edges": scenario.edges[::-1]})


def test_numbers_in_names_count_as_numbers() -> None:
    assert name_ranks([f"user-{i}" for i in range(12)]) == tuple(range(12))
    assert name_ranks(["b", "a-2", "a-10", "a", "a-02"]) == (4, 2, 3, 0, 1)


def test_a_device_holds_the_same_samples_wherever_it_is_listed() -> None:
    scenario = quick_scenario()
    one, other = federated_data(scenario, 2), federated_data(shuffled(scenario), 2)
    for row, device in enumerate(scenario.devices):
        place = [found.name for found in shuffled(scenario).devices].index(device.name)
        assert one.streams[row] == other.streams[place]
        for name, task in one.tasks.items():
            np.testing.assert_array_equal(task.shares[row], other.tasks[name].shares[place])
            np.testing.assert_array_equal(task.train.answers, other.tasks[name].train.answers)
            np.testing.assert_array_equal(
                pooled_data(one).tasks[name].shares[0], pooled_data(other).tasks[name].shares[0]
            )


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_ends_with_the_same_bits_per_device(tmp_path: Path, threads: int) -> None:
    runs = []
    for i, scenario in enumerate((quick_scenario(), shuffled(quick_scenario()))):
        problem = build_problem(scenario)
        plan = plan_of(problem, "h-fedfm-2")
        trace = train_plan(problem, plan, 2, 4, threads=threads, directory=tmp_path / str(i))
        runs.append((trace, load_weights(tmp_path / str(i))))
    (one, weights), (other, others) = runs
    for found, again in zip(one.accuracy, other.accuracy, strict=True):
        close = {"clock_s": pytest.approx(found.clock_s), "energy_j": pytest.approx(found.energy_j)}
        assert again.model_dump() == found.model_dump() | close
    for record, again in zip(one.rounds, other.rounds, strict=True):
        assert again.loss == pytest.approx(record.loss, rel=1e-12)
        assert (again.end_s, again.bits) == (pytest.approx(record.end_s, rel=1e-12), record.bits)
    for device in quick_scenario().devices:
        for module, state in weights.of_device(device.name).items():
            for key, tensor in others.of_device(device.name)[module].items():
                assert tensor.equal(state[key])
