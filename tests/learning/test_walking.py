"""Walking modules, carried out: the ledger is the prediction, copies are those that walked, meetings are means."""

from __future__ import annotations

import pytest
import torch
from round_cases import small_modules, small_problem
from run_cases import quick_scenario

from hffm_opt.errors import InputError
from hffm_opt.learning.modules import StackedStates, initial_model
from hffm_opt.learning.walking import run_walk
from hffm_opt.learning.walking_run import train_walk
from hffm_opt.plan.walks import walk, walk_cost
from hffm_opt.problem.build import build_problem
from hffm_opt.solvers.walks import plan_walk

problem = small_problem("tiny")
modules = small_modules()
KEY = "head-digits"


def counted(states, rows, _):
    """Made-up training: every visited device adds one to its copies."""
    for name, state in states.modules.items():
        for row in rows:
            states = states.replace(name, [row], {key: tensor[row] + 1.0 for key, tensor in state.items()})
    return states


@pytest.fixture
def start():
    zeros = {
        name: {key: torch.zeros_like(t) for key, t in state.items()}
        for name, state in initial_model(modules, 0).items()
    }
    return StackedStates.repeat(zeros, len(problem.scenario.devices))


@pytest.mark.parametrize(("walkers", "late", "loss"), [(1, None, 0.0), (3, None, 0.0), (2, 3, 0.3)])
def test_the_ledger_equals_the_prediction(start, walkers, late, loss):
    plan = plan_walk(problem, walkers=walkers, late=late, loss=loss)
    done = run_walk(problem, plan, modules, start, counted, 12, 5)
    told = walk_cost(problem, plan, 12, 5)
    assert done.clock_s == pytest.approx(told.latency_s, rel=1e-9)
    assert done.ledger.total("joules") == pytest.approx(told.energy_j, rel=1e-9)
    assert done.ledger.total("charged_bits") == done.ledger.total("serialised_bits") == told.bits
    assert (told.met > 0) == (walkers > 1)


def test_copies_that_meet_become_their_mean_and_others_are_carried_on(start):
    plan = plan_walk(problem, walkers=3)
    m = problem.modules.index(KEY)
    before: dict[int, StackedStates] = {}

    def train(states, rows, number):
        before[number] = counted(states, rows, number)
        return before[number]

    after: dict[int, StackedStates] = {}
    run_walk(problem, plan, modules, start, train, 12, 6, lambda ran, states: after.update({ran.part.number: states}))

    def value(states, row):
        return float(next(iter(states.of_device(row, KEY).values())).flatten()[0])

    met = 0
    for part in walk(problem, plan, 12, 6):
        meetings = {v: found for (module, v), found in part.meetings.items() if module == m}
        for step in (step for step in part.hops if step.module == m):
            if step.target not in meetings:
                assert value(after[part.number], step.target) == value(before[part.number], step.source)
        for v, found in meetings.items():
            met += 1
            parts = [(max(age, 1e-9), value(before[part.number], u)) for u, age in found]
            mean = sum(weight * x for weight, x in parts) / sum(weight for weight, _ in parts)
            assert value(after[part.number], v) == pytest.approx(mean, rel=1e-6)
    assert met


@pytest.mark.parametrize("stop", ["training", "watching"])
def test_an_interrupt_leaves_complete_rounds(start, stop):
    plan = plan_walk(problem, walkers=2, late=2, loss=0.2)

    def train(states, rows, number):
        if stop == "training" and number == 4:
            raise KeyboardInterrupt
        return counted(states, rows, number)

    def watch(ran, _):
        if stop == "watching" and ran.part.number == 3:
            raise KeyboardInterrupt

    stopped = run_walk(problem, plan, modules, start, train, 9, 5, watch)
    whole = run_walk(problem, plan, modules, start, counted, 3, 5)
    assert (stopped.rounds, stopped.ledger) == (whole.rounds, whole.ledger)
    assert stopped.states.equal(whole.states)


def test_an_interrupt_before_any_round_is_complete_is_passed_on(start):
    def train(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_walk(problem, plan_walk(problem), modules, start, train, 2, 0)


def test_real_modules_learn_while_they_walk():
    given = build_problem(quick_scenario())
    plan = plan_walk(given, late=3, loss=0.1)
    run = train_walk(given, plan, 3, 1, evaluate_every=2, threads=1)
    again = train_walk(given, plan, 3, 1, evaluate_every=2, threads=1)
    assert [point.round for point in run.trace.curve] == [2, 3]
    assert run.trace == again.trace and run.states.equal(again.states)
    told = walk_cost(given, plan, 3, 1)
    end = run.trace.curve[-1]
    assert (end.clock_s, end.energy_j) == pytest.approx((told.latency_s, told.energy_j), rel=1e-9)
    assert run.trace.measured.model_dump() == pytest.approx(run.trace.predicted.model_dump(), rel=1e-9)
    assert end.accuracy.keys() == run.trace.header.baseline.keys()


def test_plans_for_other_scenarios_are_refused(start):
    with pytest.raises(InputError, match="planned for"):
        run_walk(build_problem(quick_scenario()), plan_walk(problem), modules, start, counted, 1, 0)
