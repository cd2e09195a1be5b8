"""A measurement holds what a run's ledger says against the referee, and picks accuracies in a stated phase."""

from __future__ import annotations

import json

import pytest

from hffm_opt.errors import InputError
from hffm_opt.learning.modules import StackedStates, build_modules, initial_model
from hffm_opt.learning.rounds import RoundEngine
from hffm_opt.measurement import Measurement, ledger_costs, measure
from hffm_opt.plan.model import Plan
from hffm_opt.plan.schedule import run_cost
from hffm_opt.problem import Problem, build_problem
from hffm_opt.scenario.read import load_scenario
from hffm_opt.serial import dump_json, validate
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import Request
from hffm_opt.trace import (
    AccuracyRecord,
    Ledger,
    LedgerEntry,
    Phase,
    RoundRecord,
    RunHeader,
    TierName,
    Trace,
    provenance,
)

ROUNDS = 5


@pytest.fixture(scope="module")
def problem() -> Problem:
    return build_problem(load_scenario("paper"))


@pytest.fixture(scope="module")
def plan(problem: Problem) -> Plan:
    return solve(problem, "h-fedfm-2+d2d", Request(seed=4)).plan


def point(
    number: int, phase: Phase, tier: TierName, task: str, accuracy: float, clock_s: float, energy_j: float = 1.0
) -> AccuracyRecord:
    return AccuracyRecord(
        round=number,
        phase=phase,
        tier=tier,
        task=task,
        accuracy=accuracy,
        devices=40,
        states=1,
        clock_s=clock_s,
        energy_j=energy_j,
    )


ACCURACY = tuple(
    record
    for number, phase, tier, digits, shapes, clock_s in (
        (2, "before-average", "cloud", 0.10, 0.20, 11.0),
        (2, "after-average", "cloud", 0.30, 0.40, 18.0),
        (4, "before-average", "cloud", 0.35, 0.45, 30.0),
        (4, "after-average", "cloud", 0.50, 0.60, 36.0),
        (5, "before-average", "d2d", 0.90, 0.90, 40.0),
        (5, "after-average", "d2d", 0.80, 0.80, 41.0),
    )
    for record in (
        point(number, phase, tier, "digits", digits, clock_s),
        point(number, phase, tier, "shapes", shapes, clock_s),
    )
)


@pytest.fixture(scope="module")
def trace(problem: Problem, plan: Plan) -> Trace:
    """Rounds as the engine runs them, with made-up accuracies."""
    modules = build_modules(width=4, depth=2, adapter_width=2, answers={"digits": 3, "shapes": 4})
    engine = RoundEngine(problem, plan, modules)
    states, clock_s = StackedStates.repeat(initial_model(modules, 0), 40), engine.start_s
    rounds: list[RoundRecord] = []
    entries: list[LedgerEntry] = []
    for number in range(1, ROUNDS + 1):
        result = engine.average(number, states, clock_s)
        clock_s = result.clock_s
        rounds.append(result.record)
        entries += result.entries
    header = RunHeader(
        scenario="paper",
        fingerprint=problem.fingerprint,
        method=plan.method,
        backbone="none",
        seed=0,
        rounds=ROUNDS + 1,
        baseline={"digits": 0.1, "shapes": 0.2},
        provenance=provenance(),
    )
    return Trace(header=header, rounds=tuple(rounds), accuracy=ACCURACY, ledger=Ledger.of(entries))


def test_measured_costs_are_the_ledgers_and_predicted_ones_the_referees(
    problem: Problem, plan: Plan, trace: Trace
) -> None:
    found = measure(problem, plan, trace)
    cost = run_cost(problem, plan, ROUNDS)
    for key in ("latency_s", "energy_j", "bits"):
        assert getattr(found.predicted, key) == getattr(cost, key)
        assert getattr(found.measured, key) == pytest.approx(getattr(cost, key), rel=1e-9)
        assert abs(getattr(found.difference, key)) < 1e-9
    assert found.measured.latency_s == pytest.approx(trace.rounds[-1].end_s, rel=1e-12)
    assert 0 < found.serialised_bits < found.measured.bits
    assert not found.complete


def test_a_ledger_that_differs_shows(problem: Problem, plan: Plan, trace: Trace) -> None:
    dearer = trace.ledger.model_copy(update={"joules": tuple(1.5 * joules for joules in trace.ledger.joules)})
    found = measure(problem, plan, trace.model_copy(update={"ledger": dearer}))
    assert found.difference.energy_j == pytest.approx(0.5)
    assert abs(found.difference.bits) < 1e-9


def test_costs_of_a_ledger_by_hand() -> None:
    rows = [
        LedgerEntry(1, "train", "edge-0", "a", "", "adapters", 0, 0, 0.0, 9.0, 2.0),
        LedgerEntry(1, "uplink", "edge-0", "a", "edge-0", "adapters", 100, 80, 1.0, 3.0, 0.5),
    ]
    costs = ledger_costs(Ledger.of(rows))
    assert (costs.latency_s, costs.energy_j, costs.bits) == (9.0, 2.5, 100.0)
    assert ledger_costs(Ledger()).latency_s == 0.0


def test_headline_is_right_after_the_last_deepest_average(problem: Problem, plan: Plan, trace: Trace) -> None:
    """Round 5 is later and looks better, but its average stays inside clusters."""
    found = measure(problem, plan, trace)
    assert found.accuracy == {"digits": 0.50, "shapes": 0.60}
    assert found.headline is not None and (found.headline.round, found.headline.tier) == (4, "cloud")
    assert found.before is not None and found.before.accuracy == {"digits": 0.35, "shapes": 0.45}
    assert found.baseline == {"digits": 0.1, "shapes": 0.2}


def test_curve_and_cost_to_a_target(problem: Problem, plan: Plan, trace: Trace) -> None:
    found = measure(problem, plan, trace)
    assert [(p.round, p.phase[:5], p.clock_s) for p in found.curve] == [
        (2, "befor", 11.0),
        (2, "after", 18.0),
        (4, "befor", 30.0),
        (4, "after", 36.0),
        (5, "befor", 40.0),
        (5, "after", 41.0),
    ]
    target = found.to_target(0.38)
    assert target is not None and (target.round, target.latency_s) == (4, 36.0)
    assert found.to_target(0.99) is None


def test_run_without_evaluation_has_no_accuracy(problem: Problem, plan: Plan, trace: Trace) -> None:
    found = measure(problem, plan, trace.model_copy(update={"accuracy": ()}))
    assert (found.accuracy, found.headline, found.before, found.curve) == ({}, None, None, ())


def test_run_without_averages_is_judged_at_its_end(problem: Problem, plan: Plan, trace: Trace) -> None:
    lone = (point(5, "before-average", "local", "digits", 0.4, 7.0),)
    found = measure(problem, plan, trace.model_copy(update={"accuracy": lone}))
    assert found.accuracy == {"digits": 0.4}
    assert found.before is None


def test_json_round_trip(problem: Problem, plan: Plan, trace: Trace) -> None:
    found = measure(problem, plan, trace)
    assert validate(json.loads(dump_json(found)), Measurement, "measurement") == found


def test_trace_of_another_plan_or_without_rounds_is_refused(problem: Problem, plan: Plan, trace: Trace) -> None:
    with pytest.raises(InputError, match=r"trace\.header"):
        measure(problem, plan.model_copy(update={"method": "star"}), trace)
    with pytest.raises(InputError, match="no complete round"):
        measure(problem, plan, trace.model_copy(update={"rounds": ()}))
