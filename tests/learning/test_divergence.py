"""How far copies stand apart, against sums written out by hand; and since when."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from round_cases import MIXED, chain_plan, first_states, small_modules, small_problem, train_by_name

from hffm_opt.learning.divergence import divergences, rounds_since
from hffm_opt.plan.circulation import ModuleCirculation, Tier, uniform
from hffm_opt.problem import Problem, build_problem
from hffm_opt.scenario.conditions import Conditions, under


@pytest.fixture(scope="module")
def problem() -> Problem:
    return small_problem("tiny")


def test_rounds_since_an_average_of_some_tier(problem: Problem) -> None:
    """Adapters: head, edge, head, cloud and so on; one head meets at the cloud every second round, one never."""
    plans = [(1, chain_plan(problem, MIXED))]
    local = [rounds_since(plans, 0, number, Tier.D2D) for number in range(1, 10)]
    whole = [rounds_since(plans, 0, number, Tier.CLOUD) for number in range(1, 10)]
    assert local == [1] * 9
    assert whole == [1, 2, 3, 4, 1, 2, 3, 4, 1]
    assert [rounds_since(plans, 0, number, Tier.EDGE) for number in range(1, 7)] == [1, 2, 1, 2, 1, 2]
    assert [rounds_since(plans, 1, number, Tier.D2D) for number in range(1, 6)] == [1, 2, 1, 2, 1]
    assert [rounds_since(plans, 2, number, Tier.CLOUD) for number in (1, 5, 100)] == [1, 5, 100]


def test_rounds_since_follow_the_plans_that_were_in_force(problem: Problem) -> None:
    often, never = uniform(problem, None, None, 1), uniform(problem, None, None, None)
    plans = [(1, chain_plan(problem, often)), (4, chain_plan(problem, never)), (6, chain_plan(problem, often))]
    assert [rounds_since(plans, 0, number, Tier.CLOUD) for number in range(1, 8)] == [1, 1, 1, 1, 2, 3, 1]


def by_hand(problem: Problem, module: str, rows: list[int], copies: dict[int, np.ndarray]) -> tuple[float, float]:
    tasks = next(m.tasks for m in problem.scenario.modules if m.name == module)
    devices = problem.scenario.devices
    held = {row: sum(devices[row].samples.get(task, 0) for task in tasks) for row in rows}
    cells = [[row for row in rows if row in cell.members] for cell in problem.cells]
    means = [sum(held[r] * copies[r] for r in cell) / sum(held[r] for r in cell) for cell in cells if cell]
    sizes = [sum(held[r] for r in cell) for cell in cells if cell]
    everything = sum(n * mean for n, mean in zip(sizes, means, strict=True)) / sum(sizes)
    within = sum(
        held[row] * float(((copies[row] - mean) ** 2).sum())
        for cell, mean in zip([c for c in cells if c], means, strict=True)
        for row in cell
    )
    between = sum(n * float(((mean - everything) ** 2).sum()) for n, mean in zip(sizes, means, strict=True))
    return within / sum(sizes), between / sum(sizes)


@pytest.mark.parametrize(
    ("number", "gone"), [(1, ()), (4, ()), (3, ("device-0-1",)), (2, ("device-1-0", "device-1-1"))]
)
def test_divergence_by_hand(problem: Problem, number: int, gone: tuple[str, ...]) -> None:
    there = build_problem(under(problem.scenario, Conditions(absent=gone))) if gone else problem
    plan = chain_plan(problem, MIXED)
    trained = train_by_name(problem, first_states(problem, small_modules()), number)
    found = divergences(there, trained, [(1, plan)], number)
    assert set(found) == set(problem.modules)
    for m, module in enumerate(problem.modules):
        rows = np.flatnonzero(there.owners[:, m]).tolist()
        copies = {
            row: np.concatenate([v.flatten().double().numpy() for v in trained.of_device(row, module).values()])
            for row in rows
        }
        within, between = by_hand(problem, module, rows, copies)
        since = rounds_since([(1, plan)], m, number, Tier.D2D), rounds_since([(1, plan)], m, number, Tier.CLOUD)
        assert found[module].within == pytest.approx(within / since[0] ** 2, rel=1e-6)
        assert found[module].between == pytest.approx(between / since[1] ** 2, rel=1e-6)


def test_equal_copies_do_not_diverge_and_a_lone_owner_has_none(problem: Problem) -> None:
    plan, states = chain_plan(problem, MIXED), first_states(problem, small_modules())
    found = divergences(problem, states, [(1, plan)], 1)
    assert all(each.within == pytest.approx(0, abs=1e-12) for each in found.values())
    alone = under(problem.scenario, Conditions(absent=tuple(d.name for d in problem.scenario.devices[1:])))
    assert divergences(build_problem(alone), states, [(1, plan)], 1) == {}


def test_a_cell_of_its_own_differs_between_only(problem: Problem) -> None:
    """All copies of a cell alike: nothing within, all between."""
    states = first_states(problem, small_modules())
    circulation = tuple(ModuleCirculation(module=name, edge=1, cloud=None) for name in problem.modules)
    rows = problem.cells[0].members.tolist()
    moved = {key: value[rows] + 1 for key, value in states.modules["adapters"].items()}
    trained = states.replace("adapters", rows, moved)
    found = divergences(problem, trained, [(1, chain_plan(problem, circulation))], 2)["adapters"]
    held = [sum(d.samples.values()) for d in problem.scenario.devices]
    p = sum(held[row] for row in rows) / sum(held)
    size = sum(torch.numel(value[0]) for value in states.modules["adapters"].values())
    assert found.within == pytest.approx(0, abs=1e-9)
    assert found.between == pytest.approx(p * (1 - p) * size / 2**2, rel=1e-6)
