"""A run trains and averages real modules as planned, and says what it reached when."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from round_cases import MIXED, chain_plan, plan_of, small_modules, small_problem
from run_cases import ADAPTER_WIDTH, DEPTH, WIDTH, quick_scenario

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.data import federated_data
from hffm_opt.learning.local import LocalTrainer, LocalUpdate
from hffm_opt.learning.modules import StackedStates, build_modules, initial_model
from hffm_opt.learning.rounds import RoundEngine
from hffm_opt.learning.run import evaluation_rounds, train_plan
from hffm_opt.plan.circulation import uniform
from hffm_opt.plan.model import Plan
from hffm_opt.plan.schedule import run_cost
from hffm_opt.problem import Problem, build_problem
from hffm_opt.serial import dump_json, validate
from hffm_opt.trace import Trace, read_trace, write_trace


@pytest.fixture(scope="module")
def problem() -> Problem:
    return build_problem(quick_scenario())


@pytest.fixture(scope="module")
def plan(problem: Problem) -> Plan:
    return chain_plan(problem, uniform(problem, 1, 2, 4))


@pytest.fixture(scope="module")
def trace(problem: Problem, plan: Plan) -> Trace:
    return train_plan(problem, plan, 5, seed=3, evaluate_every=2, threads=1)


def test_ledger_of_real_training_equals_the_referee(problem: Problem, plan: Plan, trace: Trace) -> None:
    predicted = run_cost(problem, plan, 5)
    assert trace.rounds[-1].end_s == pytest.approx(predicted.latency_s, rel=1e-9)
    assert trace.ledger.total("joules") == pytest.approx(predicted.energy_j, rel=1e-9)
    assert trace.ledger.total("charged_bits") == pytest.approx(predicted.bits, rel=1e-9)
    assert trace.ledger.charged_bits == trace.ledger.serialised_bits
    assert sum(record.energy_j for record in trace.rounds) == pytest.approx(predicted.energy_j, rel=1e-9)


def test_phases_and_tiers_are_stated(trace: Trace) -> None:
    stated = [(r.round, r.phase, r.tier, r.devices) for r in trace.accuracy if r.task == "digits"]
    assert stated == [
        (2, "before-average", "edge", 5),
        (2, "after-average", "edge", 5),
        (4, "before-average", "cloud", 5),
        (4, "after-average", "cloud", 5),
        (5, "before-average", "d2d", 5),
        (5, "after-average", "d2d", 5),
    ]


def test_distinct_states_shrink_to_one_per_cluster_and_to_one_at_the_cloud(trace: Trace) -> None:
    states = {(r.round, r.phase): r.states for r in trace.accuracy if r.task == "digits"}
    assert states[4, "before-average"] == 5
    assert states[2, "after-average"] == states[5, "after-average"] == 2
    assert states[4, "after-average"] == 1


def test_accuracies_carry_the_cost_of_their_moment(trace: Trace) -> None:
    spent = np.cumsum([record.energy_j for record in trace.rounds])
    for record in trace.accuracy:
        before, after = trace.rounds[record.round - 2], trace.rounds[record.round - 1]
        if record.phase == "after-average":
            assert record.clock_s == after.end_s
            assert record.energy_j == pytest.approx(spent[record.round - 1])
        else:
            assert before.end_s < record.clock_s < after.end_s
            assert spent[record.round - 2] < record.energy_j < spent[record.round - 1]


def test_accuracy_is_the_mean_over_families_weighted_by_their_questions(problem: Problem, trace: Trace) -> None:
    data = federated_data(problem.scenario, 3, load_backbone("vilt-small-random").form)
    assert trace.header.baseline == data.majority
    for record in trace.accuracy:
        families = data.tasks[record.task].test.families
        expected = sum(record.families[family] for family in families) / len(families)
        assert record.accuracy == pytest.approx(expected)


def test_training_learns(trace: Trace) -> None:
    for task in ("digits", "shapes"):
        assert trace.rounds[-1].loss[task] < trace.rounds[0].loss[task]


def test_trace_round_trip(trace: Trace, tmp_path: Path) -> None:
    write_trace(trace, tmp_path)
    assert read_trace(tmp_path) == trace
    assert validate(json.loads(dump_json(trace)), Trace, "trace") == trace


def test_same_seed_same_trace_and_another_seed_another(problem: Problem, plan: Plan) -> None:
    first, again, other = (train_plan(problem, plan, 2, seed, threads=1) for seed in (5, 5, 6))
    assert first == again
    assert first.rounds[0].loss != other.rounds[0].loss


def test_one_after_another_gives_the_same_result(problem: Problem, plan: Plan) -> None:
    stacked, single = (
        train_plan(problem, plan, 2, 5, sequential=sequential, threads=1) for sequential in (False, True)
    )
    for one, two in zip(stacked.rounds, single.rounds, strict=True):
        assert one.loss == pytest.approx(two.loss, rel=1e-4)
    assert stacked.ledger == single.ledger


def test_a_lone_device_just_trains() -> None:
    """Averaging one device's modules over any number of hops is the identity: the losses are bit for bit its own."""
    problem = build_problem(quick_scenario(devices=1))
    trace = train_plan(problem, plan_of(problem, "star"), 3, seed=1, threads=1)
    backbone = load_backbone("vilt-small-random")
    data = federated_data(problem.scenario, 1, backbone.form)
    modules = build_modules(WIDTH, DEPTH, ADAPTER_WIDTH, data.answers)
    trainer = LocalTrainer(backbone, modules, data, problem.scenario.learning, 1, threads=1)
    states = StackedStates.repeat(initial_model(modules, 1), 1)
    for record in trace.rounds:
        update = trainer.train(states, [0], record.round)
        states = update.states
        assert record.loss == {task: pytest.approx(update.loss[task][0], rel=1e-12) for task in data.tasks}


def test_training_goes_on_from_the_averages(problem: Problem) -> None:
    """The losses are bit for bit those of training, averaging, and training again by hand."""
    plan = plan_of(problem, "star")
    trace = train_plan(problem, plan, 2, seed=1, threads=1)
    backbone = load_backbone("vilt-small-random")
    data = federated_data(problem.scenario, 1, backbone.form)
    modules = build_modules(WIDTH, DEPTH, ADAPTER_WIDTH, data.answers)
    trainer = LocalTrainer(backbone, modules, data, problem.scenario.learning, 1, threads=1)
    engine, everyone = RoundEngine(problem, plan, modules), list(range(6))
    trained = trainer.train(StackedStates.repeat(initial_model(modules, 1), 6), everyone, 1).states
    averaged = engine.average(1, trained, engine.start_s).states
    for task, samples in data.samples.items():
        joint, alone = (
            np.nansum(trainer.train(states, everyone, 2).loss[task] * samples) / samples.sum()
            for states in (averaged, trained)
        )
        assert trace.rounds[1].loss[task] == joint != alone


def interrupt_in(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    train = LocalTrainer.train

    def interrupted(
        self: LocalTrainer, states: StackedStates, devices: list[int], now: int, *rest: StackedStates
    ) -> LocalUpdate:
        if now == number:
            raise KeyboardInterrupt
        return train(self, states, devices, now, *rest)

    monkeypatch.setattr(LocalTrainer, "train", interrupted)


def test_an_interrupted_run_keeps_its_complete_rounds(
    problem: Problem, plan: Plan, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_in(monkeypatch, 4)
    part = train_plan(problem, plan, 5, seed=3, evaluate_every=2, threads=1)
    assert not part.complete
    assert part.rounds == trace.rounds[:3]
    assert part.accuracy == tuple(record for record in trace.accuracy if record.round <= 3)
    assert set(part.ledger.round) == {1, 2, 3}


def test_interrupt_before_anything_is_complete_is_passed_on(
    problem: Problem, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_in(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train_plan(problem, plan, 2, seed=3, threads=1)


def test_progress_hears_of_every_round(problem: Problem, plan: Plan) -> None:
    heard: list[tuple[int, int]] = []
    train_plan(problem, plan, 2, 5, threads=1, progress=lambda record, found: heard.append((record.round, len(found))))
    assert heard == [(1, 0), (2, 4)]


def test_a_round_without_an_average_has_one_phase() -> None:
    problem = build_problem(quick_scenario())
    trace = train_plan(problem, chain_plan(problem, uniform(problem, None, None, None)), 1, 0, threads=1)
    assert {(record.phase, record.tier) for record in trace.accuracy} == {("before-average", "local")}


@pytest.mark.parametrize(
    ("method", "rounds", "every", "expected"),
    [
        ("star", 3, None, {3}),
        ("h-fedfm-8", 20, None, {16, 20}),
        ("h-fedfm-8", 5, None, {4, 5}),
        ("h-fedfm-2", 5, 2, {2, 4, 5}),
        ("edge-only", 4, 3, {3, 4}),
    ],
)
def test_rounds_to_evaluate_in(method: str, rounds: int, every: int | None, expected: set[int]) -> None:
    problem = small_problem("tiny")
    engine = RoundEngine(problem, plan_of(problem, method), small_modules())
    assert evaluation_rounds(1 << engine.top, rounds, every) == expected


def test_rounds_to_evaluate_in_follow_the_deepest_average() -> None:
    """In MIXED the heads meet at the cloud every second round, adapters every fourth: both are the cloud's."""
    problem = small_problem("tiny")
    engine = RoundEngine(problem, chain_plan(problem, MIXED), small_modules())
    assert evaluation_rounds(1 << engine.top, 3, None) == {2, 3}
    assert evaluation_rounds(1 << engine.top, 7, None) == {4, 7}


def test_payload_of_another_model_is_refused_before_training() -> None:
    scenario = quick_scenario()
    wider = scenario.model_copy(update={"learning": scenario.learning.model_copy(update={"adapter_width": 5})})
    problem = build_problem(wider)
    with pytest.raises(InputError, match=r"modules\.adapters\.payload_bit"):
        train_plan(problem, chain_plan(problem, uniform(problem, None, 1, None)), 1, 0)


def test_modules_of_another_model_are_refused() -> None:
    scenario = quick_scenario()
    renamed = tuple(m.model_copy(update={"name": "experts"}) if m.name == "adapters" else m for m in scenario.modules)
    problem = build_problem(scenario.model_copy(update={"modules": renamed}))
    with pytest.raises(InputError, match="this backbone has adapters"):
        train_plan(problem, chain_plan(problem, uniform(problem, None, 1, None)), 1, 0)


def test_bad_arguments_are_all_named(problem: Problem, plan: Plan) -> None:
    with pytest.raises(InputError) as caught:
        train_plan(problem, plan, 0, 0, evaluate_every=-1)
    assert [finding.path for finding in caught.value.findings] == ["rounds", "evaluate_every"]


def test_a_plan_for_another_scenario_is_refused(problem: Problem, plan: Plan) -> None:
    other = replace(problem, scenario=problem.scenario.model_copy(update={"seed": 99}))
    with pytest.raises(InputError, match="made for scenario"):
        train_plan(other, plan, 1, 0)
