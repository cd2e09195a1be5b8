"""FedLAMA in training: discrepancies and intervals by hand, and a ledger that follows every change of plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from round_cases import first_states, plan_of, small_modules, small_problem, train_by_name
from run_cases import quick_scenario

from hffm_opt.errors import InputError
from hffm_opt.learning.baselines.fedlama import FedLama, squared_discrepancy
from hffm_opt.learning.modules import StackedStates
from hffm_opt.learning.rounds import RoundEngine, RoundResult
from hffm_opt.learning.run import train_plan
from hffm_opt.measurement import measure
from hffm_opt.plan.circulation import ModuleCirculation
from hffm_opt.plan.model import Plan
from hffm_opt.plan.schedule import run_cost, schedule_cost
from hffm_opt.problem import Problem, build_problem
from hffm_opt.solvers.registry import replanner
from hffm_opt.solvers.request import Request
from hffm_opt.trace import Intervals, Revision, Trace, read_trace, write_trace


def fedlama(problem: Problem, tau: int, phi: int, method: str = "fedlama") -> FedLama:
    return FedLama(problem, Intervals(tau=tau, phi=phi), replanner(problem, method, Request()))


def periods(plan: Plan) -> dict[str, int | None]:
    assert all(c.d2d is None and c.edge is None for c in plan.circulation)
    return {c.module: c.cloud for c in plan.circulation}


def moved_by(problem: Problem, states: StackedStates, scale: dict[str, float]) -> StackedStates:
    """Made-up training: every owner's copy of module m moves by ``scale[m]``, alternately up and down."""
    for m, name in enumerate(problem.modules):
        for turn, row in enumerate(np.flatnonzero(problem.owners[:, m]).tolist()):
            step = scale[name] * (1 if turn % 2 else -1)
            states = states.replace(name, [row], {k: v + step for k, v in states.of_device(row, name).items()})
    return states


def run_adapted(
    problem: Problem, lama: FedLama, scales: dict[int, dict[str, float]], rounds: int
) -> tuple[list[RoundResult], list[Revision]]:
    """Rounds with made-up training whose scales change after the rounds that are the keys of ``scales``."""
    modules = small_modules()
    engine = RoundEngine(problem, lama.first_plan(), modules)
    states, clock_s = first_states(problem, modules), engine.start_s
    results, revisions = [], []
    for number in range(1, rounds + 1):
        scale = scales[max(key for key in scales if key < number)]
        trained = moved_by(problem, states, scale)
        result = engine.average(number, trained, clock_s)
        states, clock_s = result.states, result.clock_s
        results.append(result)
        revision = lama.revise(number, engine.plan, trained, result)
        if revision is not None:
            revisions.append(revision)
            engine = RoundEngine(problem, revision.plan, modules)
    return results, revisions


def test_discrepancy_by_hand() -> None:
    """Of head-shapes the devices 0 (24 samples) and 2 (32) stand at 1 and 5, and their average at 23 / 7."""
    problem = small_problem("tiny")
    states = first_states(problem, small_modules())

    def filled(values: dict[int, float]) -> StackedStates:
        new = states
        for row, value in values.items():
            same = {k: torch.full_like(v, value) for k, v in states.of_device(row, "head-shapes").items()}
            new = new.replace("head-shapes", [row], same)
        return new

    mean = (24 * 1 + 32 * 5) / 56
    found = squared_discrepancy(problem, filled({0: 1.0, 2: 5.0}), filled({0: mean, 2: mean}), "head-shapes", (0, 2))
    numbers = small_modules()["head-shapes"].parameters
    assert found == pytest.approx(numbers * (24 * (mean - 1) ** 2 + 32 * (5 - mean) ** 2) / 56, rel=1e-6)


GENTLE = {"adapters": 0.6, "head-digits": 1.0, "head-shapes": 1.0}
UNEVEN = {"adapters": 0.6, "head-digits": 2.0, "head-shapes": 0.1}


def test_intervals_by_hand() -> None:
    """tau = 1, phi = 4; payloads 5632, 2080 and 2240 bit: .566, .209 and .225 of the whole.

    Owners move by +-s, so that ``D = numbers s^2 (1 - (sum_u p_u sign_u)^2)``; the brackets are 1 - (16 / 240)^2,
    1 - (24 / 136)^2 and 1 - (8 / 104)^2, the numbers 88, 15 and 20. A module that was not averaged for four rounds has
    moved four times as far: D is 16 / 4 times that of a round.

    Rounds 1 to 4: D = 31.5, 14.5, 19.9. Adapters have the least D per bit, cause .478 and leave .434: they alone.
    Rounds 5 to 8: D = 126.2, 14.5, 19.9. Per bit: head-digits (.090 < .791), head-shapes (.214 < .566), adapters: all.
    Rounds 9 to 12: D = 126.2, 232.5, 0.8. Per bit: head-shapes (.002 < .775), adapters (.353 > .209): these two.
    """
    problem = small_problem("tiny")
    assert problem.payload_bit.tolist() == [5632, 2080, 2240]
    lama = fedlama(problem, 1, 4)
    assert set(periods(lama.first_plan()).values()) == {1}
    results, revisions = run_adapted(problem, lama, {0: GENTLE, 8: UNEVEN}, 16)
    bracket = np.array([88 * (1 - (16 / 240) ** 2), 15 * (1 - (24 / 136) ** 2), 20 * (1 - (8 / 104) ** 2)])
    by_hand = bracket * [[0.36, 1, 1], [4 * 0.36, 1, 1], [4 * 0.36, 4 * 4, 4 * 0.01]]
    for revision, expected in zip(revisions, by_hand, strict=True):
        assert list(revision.discrepancy.values()) == pytest.approx(expected, rel=1e-4)
    assert [r.round for r in revisions] == [5, 9, 13]
    assert [list(periods(r.plan).values()) for r in revisions] == [[4, 1, 1], [4, 4, 4], [4, 1, 4]]
    averaged = [sorted(result.averaged) for result in results]
    every, heads = sorted(problem.modules), ["head-digits", "head-shapes"]
    assert averaged[:4] == [every] * 4
    assert averaged[4:8] == [heads] * 3 + [every]
    assert averaged[8:12] == [[]] * 3 + [every]
    assert averaged[12:] == [["head-digits"]] * 3 + [every]


def test_ledger_follows_the_plan_in_force() -> None:
    problem = small_problem("tiny")
    lama = fedlama(problem, 1, 4)
    first = lama.first_plan()
    results, revisions = run_adapted(problem, lama, {0: GENTLE}, 11)
    plans = ((1, first), *((r.round, r.plan) for r in revisions))
    predicted = schedule_cost(problem, plans, 11)
    assert results[-1].record.end_s == pytest.approx(predicted.latency_s, rel=1e-9)
    entries = [entry for result in results for entry in result.entries]
    assert sum(entry.joules for entry in entries) == pytest.approx(predicted.energy_j, rel=1e-9)
    assert sum(entry.charged_bits for entry in entries) == predicted.bits
    unchanged = run_cost(problem, first, 11)
    assert predicted.bits < 0.8 * unchanged.bits
    assert [first for first, _ in plans] == [1, 5, 9]
    parts = [run_cost(problem, plan, rounds) for (_, plan), rounds in zip(plans, (4, 4, 3), strict=True)]
    assert predicted.latency_s == pytest.approx(sum(part.latency_s for part in parts), rel=1e-12)


def test_routes_and_heads_are_those_of_the_method() -> None:
    problem = small_problem("tiny")
    lama = fedlama(problem, 1, 4, "fedlama+best-head+mst")
    given = plan_of(problem, "h-fedfm-1+best-head+mst")
    for cell, other in zip(lama.first_plan().cells, given.cells, strict=True):
        assert cell.rounds[0].uplink == other.rounds[0].uplink


@pytest.fixture(scope="module")
def trained() -> tuple[Problem, Plan, Trace]:
    problem = build_problem(quick_scenario())
    lama = fedlama(problem, 1, 2)
    plan = lama.first_plan()
    return problem, plan, train_plan(problem, plan, 6, seed=3, threads=1, fedlama=lama)


def test_real_training_costs_what_the_referee_says(trained: tuple[Problem, Plan, Trace]) -> None:
    problem, plan, trace = trained
    assert trace.revisions
    found = measure(problem, plan, trace)
    for part in ("latency_s", "energy_j", "bits"):
        assert abs(getattr(found.difference, part)) < 1e-9
    assert found.predicted.bits < run_cost(problem, plan, 6).bits
    assert found.headline is not None and found.headline.round == 6
    assert trace.header.algorithm.fedlama == Intervals(tau=1, phi=2)
    assert trace.header.method == plan.method == "fedlama"


def test_changes_of_plan_round_trip(trained: tuple[Problem, Plan, Trace], tmp_path: Path) -> None:
    write_trace(trained[2], tmp_path)
    assert read_trace(tmp_path) == trained[2]


def test_phi_one_is_federated_averaging(trained: tuple[Problem, Plan, Trace]) -> None:
    problem = trained[0]
    lama = fedlama(problem, 1, 1)
    plan = lama.first_plan()
    trace = train_plan(problem, plan, 2, seed=3, threads=1, fedlama=lama)
    plain = train_plan(problem, plan, 2, seed=3, threads=1)
    assert (trace.rounds, trace.ledger, trace.revisions) == (plain.rounds, plain.ledger, ())
    assert {c.cloud for c in plan.circulation} == {1}


def test_every_discrepancy_is_measured_anew(trained: tuple[Problem, Plan, Trace]) -> None:
    told = [revision.discrepancy for revision in trained[2].revisions]
    assert all(set(found) == set(trained[0].modules) and min(found.values()) > 0 for found in told)


def test_bad_intervals_are_all_named() -> None:
    problem = small_problem("tiny")
    with pytest.raises(InputError) as caught:
        fedlama(problem, 3, 6)
    assert [finding.path for finding in caught.value.findings] == ["--fedlama tau", "--fedlama phi"]
    with pytest.raises(InputError, match="65536"):
        fedlama(problem, 2, 1 << 16)


def test_a_module_is_averaged_by_its_owners_when_its_interval_ends() -> None:
    problem, modules = small_problem("tiny"), small_modules()
    plan = replanner(problem, "fedlama", Request())(
        tuple(ModuleCirculation(module=m, cloud=p) for m, p in zip(problem.modules, (4, 1, 2), strict=True))
    )
    engine = RoundEngine(problem, plan, modules)
    states, clock_s = first_states(problem, modules), engine.start_s
    for number in range(1, 9):
        result = engine.average(number, train_by_name(problem, states, number), clock_s)
        due = {m for m, p in zip(problem.modules, (4, 1, 2), strict=True) if number % p == 0}
        assert set(result.averaged) == due
        for m in due:
            assert result.averaged[m] == tuple(np.flatnonzero(problem.owners[:, problem.modules.index(m)]))
        states, clock_s = result.states, result.clock_s
