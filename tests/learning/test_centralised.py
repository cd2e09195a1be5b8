"""Centralised training: the same samples, one model, and nothing moved."""

from __future__ import annotations

import numpy as np
import pytest
from round_cases import plan_of
from run_cases import ADAPTER_WIDTH, DEPTH, WIDTH, quick_scenario

import hffm_opt
from hffm_opt.errors import InputError
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.baselines.centralised import pooled_data, pooled_from
from hffm_opt.learning.data import FederatedData, federated_data
from hffm_opt.learning.local import LocalTrainer
from hffm_opt.learning.modules import StackedStates, build_modules, initial_model
from hffm_opt.learning.run import train_plan
from hffm_opt.measurement import measure
from hffm_opt.plan.schedule import run_cost
from hffm_opt.problem import build_problem
from hffm_opt.report import read_run
from hffm_opt.variants import centralised_start


@pytest.fixture(scope="module")
def data() -> FederatedData:
    return federated_data(quick_scenario(), 1, load_backbone("vilt-small-random").form)


def test_the_one_device_holds_exactly_what_all_devices_hold(data: FederatedData) -> None:
    whole = pooled_data(data)
    assert whole.devices == 1
    for name, task in data.tasks.items():
        pooled = whole.tasks[name]
        assert sorted(pooled.shares[0]) == sorted(np.concatenate(task.shares)) == list(range(len(task.train)))
        assert pooled.train is task.train
        assert pooled.test is task.test


def test_a_round_is_plain_training_on_all_samples(data: FederatedData) -> None:
    scenario = quick_scenario()
    whole, start = centralised_start(build_problem(scenario))
    trace = train_plan(whole, start.plan, 3, seed=1, threads=1, pooled=pooled_from(scenario))
    backbone = load_backbone("vilt-small-random")
    modules = build_modules(WIDTH, DEPTH, ADAPTER_WIDTH, data.answers)
    trainer = LocalTrainer(backbone, modules, pooled_data(data), scenario.learning, 1, threads=1)
    states = StackedStates.repeat(initial_model(modules, 1), 1)
    for record in trace.rounds:
        update = trainer.train(states, [0], record.round)
        states = update.states
        assert record.loss == {task: pytest.approx(update.loss[task][0], rel=1e-12) for task in data.tasks}
        assert {task: n.tolist() for task, n in update.samples.items()} == {
            task: [n.sum()] for task, n in data.samples.items()
        }
    assert trace.header.algorithm.centralised
    assert set(trace.ledger.event) == {"train"}
    assert set(trace.ledger.source) == {"centralised"}


def test_training_is_charged_as_that_of_all_devices_together() -> None:
    """In joules the sum over devices; in seconds all FLOPs at the sum of the devices' speeds."""
    problem = build_problem(quick_scenario())
    whole, start = centralised_start(problem)
    local, pooled = run_cost(problem, plan_of(problem, "local"), 1), run_cost(whole, start.plan, 1)
    assert pooled.energy_j == pytest.approx(local.energy_j, rel=1e-12)
    flop = sum(problem.cycles[u] * device.flop_per_cycle for u, device in enumerate(problem.scenario.devices))
    speed = sum(device.cpu_max_hz * device.flop_per_cycle for device in problem.scenario.devices)
    assert pooled.latency_s == pytest.approx(flop / speed, rel=1e-12)
    assert pooled.latency_s <= local.latency_s
    assert pooled.bits == 0


def test_with_one_device_it_is_local_training_bit_for_bit() -> None:
    scenario = quick_scenario(devices=1)
    problem = build_problem(scenario)
    whole, start = centralised_start(problem)
    pooled = train_plan(whole, start.plan, 2, seed=4, threads=1, pooled=pooled_from(scenario))
    alone = train_plan(problem, plan_of(problem, "local"), 2, seed=4, threads=1)
    assert [record.loss for record in pooled.rounds] == [record.loss for record in alone.rounds]
    assert [a.accuracy for a in pooled.accuracy] == [a.accuracy for a in alone.accuracy]
    assert measure(whole, start.plan, pooled).difference.energy_j == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", ["paper", "paper-si", "senses", "random-3"])
def test_every_kind_of_scenario_has_a_counterpart(name: str) -> None:
    problem = build_problem(hffm_opt.load_scenario(name))
    whole, start = centralised_start(problem)
    assert whole.scenario.tasks == problem.scenario.tasks
    local, pooled = run_cost(problem, plan_of(problem, "local"), 1), run_cost(whole, start.plan, 1)
    assert pooled.energy_j == pytest.approx(local.energy_j, rel=1e-9)
    assert start.method == start.plan.method == "centralised"


def test_pooled_data_train_every_expert() -> None:
    problem = build_problem(hffm_opt.load_scenario("m3t"))
    assert not problem.owners.all()
    whole, _ = centralised_start(problem)
    assert whole.modules == problem.modules
    assert whole.owners.all()
    # All experts on all tokens, where a device runs those that it keeps.
    pooled, local = whole.scenario.devices[0], problem.scenario.devices
    flop = sum(problem.cycles[u] * device.flop_per_cycle for u, device in enumerate(local))
    assert whole.cycles[0] * pooled.flop_per_cycle > 1.001 * flop


def test_a_kept_run_can_be_read_again(tmp_path) -> None:  # type: ignore[no-untyped-def]
    run = hffm_opt.train(quick_scenario(), rounds=1, seed=2, centralised=True, out=tmp_path / "run")
    again = read_run(tmp_path / "run")
    assert again.trace == run.trace
    assert again.problem.scenario.name == "tiny-centralised"
    assert run.measurement.difference.energy_j == pytest.approx(0, abs=1e-12)


def test_what_cannot_be_asked_for_together_is_refused() -> None:
    plan = hffm_opt.plan("tiny", method="star")
    for asked, message in (
        ({"plan": plan, "centralised": True}, "follows no plan"),
        ({"plan": plan, "fedlama": 2}, "makes plans as it goes"),
        ({"fedlama": 2, "centralised": True}, "nothing is averaged"),
        ({"method": "star", "fedlama": 2}, "so does 'star'"),
        ({"method": "fedlama", "fedlama": 3}, "power of two"),
    ):
        with pytest.raises(InputError, match=message):
            hffm_opt.train("tiny", rounds=1, **asked)
