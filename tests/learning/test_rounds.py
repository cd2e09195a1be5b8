"""Rounds do what the plan says: who averages what, where, and what everybody holds afterwards."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from round_cases import (
    MIXED,
    chain_plan,
    first_states,
    plan_of,
    run,
    small_modules,
    small_problem,
    small_scenario,
    train_by_name,
)

from hffm_opt.errors import InputError
from hffm_opt.learning.aggregation import sample_weights
from hffm_opt.learning.modules import StackedStates
from hffm_opt.learning.rounds import RoundEngine
from hffm_opt.plan.circulation import Circulation, ModuleCirculation, uniform
from hffm_opt.plan.model import Plan, ScenarioReference
from hffm_opt.plan.schedule import run_cost
from hffm_opt.problem import Problem, build_problem


def flat_mean(problem: Problem, states: StackedStates, module: str, rows: list[int]) -> dict[str, torch.Tensor]:
    """The weighted mean over the owners among some rows, all at once and in double precision."""
    weights = sample_weights(problem)[rows, problem.modules.index(module)]
    return {
        key: torch.from_numpy(np.average(value[rows].double().numpy(), axis=0, weights=weights)).float()
        for key, value in states.modules[module].items()
    }


def rows_of(problem: Problem, module: str, cell: int | None = None) -> list[int]:
    owned = problem.owners[:, problem.modules.index(module)].copy()
    if cell is not None:
        owned &= np.isin(np.arange(len(owned)), problem.cells[cell].members)
    return np.flatnonzero(owned).tolist()


def assert_mean(problem: Problem, before: StackedStates, after: StackedStates, module: str, rows: list[int]) -> None:
    expected = flat_mean(problem, before, module, rows)
    for key, value in after.modules[module].items():
        for row in rows:
            torch.testing.assert_close(value[row], expected[key], rtol=1e-6, atol=1e-6)
        assert all(torch.equal(value[row], value[rows[0]]) for row in rows), "owners must hold identical bits"


def assert_untouched(before: StackedStates, after: StackedStates, module: str, rows: list[int]) -> None:
    for key, value in after.modules[module].items():
        assert torch.equal(value[rows], before.modules[module][key][rows])


def test_disjoint_owners_worked_by_hand() -> None:
    """In cell 0 of tiny, head-digits belongs to devices 0 (24 samples) and 1 (32), head-shapes to 0 (24) and 2 (32)."""
    problem = small_problem("tiny")

    def constant(_problem: Problem, states: StackedStates, _number: int) -> StackedStates:
        return StackedStates(
            {
                module: {
                    key: torch.arange(1.0, 7.0).view(-1, *(1,) * (value.dim() - 1)).expand_as(value).contiguous()
                    for key, value in state.items()
                }
                for module, state in states.modules.items()
            }
        )

    done = run(problem, chain_plan(problem, uniform(problem, None, 1, None)), 1, train=constant)
    bias = {name: done.results[0].states.modules[name]["bias"][:3, 0] for name in ("head-digits", "head-shapes")}
    digits, shapes = (24 * 1 + 32 * 2) / 56, (24 * 1 + 32 * 3) / 56
    torch.testing.assert_close(bias["head-digits"], torch.tensor([digits, digits, 3.0]))
    torch.testing.assert_close(bias["head-shapes"], torch.tensor([shapes, 2.0, shapes]))


@pytest.mark.parametrize("scenario", ["tiny", "paper"])
def test_star_is_plain_federated_averaging(scenario: str) -> None:
    problem = small_problem(scenario)
    done = run(problem, plan_of(problem, "star"), 1)
    for module in problem.modules:
        assert_mean(problem, done.trained[0], done.results[0].states, module, rows_of(problem, module))


@pytest.mark.parametrize("relay", ["sum", "forward"])
@pytest.mark.parametrize("scenario", ["tiny", "paper-si"])
def test_sums_formed_hop_by_hop_are_the_flat_mean(scenario: str, relay: str) -> None:
    problem = small_problem(scenario)
    done = run(problem, chain_plan(problem, uniform(problem, 1, 2, 4), relay), 4)
    for number in (1, 2, 3):
        for module, cell in itertools.product(problem.modules, range(len(problem.cells))):
            before, after = done.trained[number - 1], done.results[number - 1].states
            assert_mean(problem, before, after, module, rows_of(problem, module, cell))
    for module in problem.modules:
        assert_mean(problem, done.trained[3], done.results[3].states, module, rows_of(problem, module))


@pytest.mark.parametrize("relay", ["sum", "forward"])
def test_each_module_follows_its_own_circulation(relay: str) -> None:
    problem = small_problem("tiny")
    done = run(problem, chain_plan(problem, MIXED, relay), 4)
    every = {module: rows_of(problem, module) for module in problem.modules}
    for number, (trained, result) in enumerate(zip(done.trained, done.results, strict=True), start=1):
        for cell in range(2) if number < 4 else ():
            assert_mean(problem, trained, result.states, "adapters", rows_of(problem, "adapters", cell))
        if number == 4:
            assert_mean(problem, trained, result.states, "adapters", every["adapters"])
        if number % 2:
            assert_untouched(trained, result.states, "head-digits", list(range(6)))
        else:
            assert_mean(problem, trained, result.states, "head-digits", every["head-digits"])
        assert_untouched(trained, result.states, "head-shapes", list(range(6)))
    tiers = [done.engine.tier(number).name for number in (1, 2, 3, 4)]
    assert tiers == ["D2D", "CLOUD", "D2D", "CLOUD"]


def test_relays_keep_their_own_copy() -> None:
    """Device 2 of cell 0 hands head-digits on for nobody, device 1 head-shapes for device 2; neither changes."""
    problem = small_problem("tiny")
    done = run(problem, chain_plan(problem, uniform(problem, None, 1, 1)), 1)
    for m, module in enumerate(problem.modules):
        others = np.flatnonzero(~problem.owners[:, m]).tolist()
        assert_untouched(done.trained[0], done.results[0].states, module, others)
    passed_on = [e for e in done.results[0].entries if e.source == "device-0-1" and e.event == "uplink"]
    assert [entry.modules for entry in passed_on] == ["adapters head-digits head-shapes"]


def test_input_states_are_left_as_they_are() -> None:
    problem = small_problem("tiny")
    modules = small_modules()
    engine = RoundEngine(problem, plan_of(problem, "star"), modules)
    trained = train_by_name(problem, first_states(problem, modules), 1)
    copy = trained.rows(range(6))
    result = engine.average(1, trained, engine.start_s)
    assert trained.equal(copy)
    assert not result.states.equal(trained)
    assert engine.start_s.tolist() == [0.0, 0.0]


def test_same_seed_same_bits() -> None:
    problem = small_problem("tiny")
    first, second = (run(problem, chain_plan(problem, MIXED), 4).results for _ in range(2))
    assert first[-1].states.equal(second[-1].states)
    assert [r.entries for r in first] == [r.entries for r in second]


@pytest.mark.parametrize(
    "circulation", [MIXED, tuple(ModuleCirculation(module=c.module, edge=1, cloud=2) for c in MIXED)]
)
def test_order_of_devices_and_edges_changes_no_bit(circulation: Circulation) -> None:
    """The same network with edges and devices listed backwards, the same trees: every device ends with equal bits."""
    scenario = small_scenario("tiny")
    turned = scenario.model_copy(update={"devices": scenario.devices[::-1], "edges": scenario.edges[::-1]})
    problem, other = build_problem(scenario), build_problem(turned)
    plan = chain_plan(problem, circulation)
    mirrored = plan.model_copy(update={"scenario": chain_plan(other, circulation).scenario, "cells": plan.cells[::-1]})
    first = run(problem, plan, 4).results[-1].states
    second = run(other, mirrored, 4).results[-1].states
    assert first.equal(second.rows(range(5, -1, -1)))


def test_cells_are_summed_in_the_order_of_their_names() -> None:
    """1 + 1e20 - 1e20 is 0 in fp64, and 1 when summed from the other end."""
    scenario = small_scenario("paper")
    values = {"edge-0": 1.0, "edge-1": 1e20, "edge-2": -1e20}

    def by_edge(problem: Problem, states: StackedStates, _number: int) -> StackedStates:
        for row, device in enumerate(problem.scenario.devices):
            value = values.get(device.edge or "", 0.0)
            states = states.replace(
                "head-digits", [row], {k: v[row] * 0 + value for k, v in states.modules["head-digits"].items()}
            )
        return states

    for edges in (scenario.edges, scenario.edges[::-1]):
        problem = build_problem(scenario.model_copy(update={"edges": edges}))
        bias = run(problem, plan_of(problem, "star"), 1, train=by_edge).results[0].states.modules["head-digits"]["bias"]
        assert not bias.any()


def test_every_transfer_carries_the_bytes_it_is_charged_for() -> None:
    problem = small_problem("tiny")
    for relay in ("sum", "forward"):
        for result in run(problem, chain_plan(problem, MIXED, relay), 4).results:
            moves = [entry for entry in result.entries if entry.event != "train"]
            assert moves and all(entry.charged_bits == entry.serialised_bits > 0 for entry in moves)


def test_assumed_payloads_are_charged_and_real_bytes_stand_beside() -> None:
    problem, modules = small_problem("paper"), small_modules()
    result = run(problem, plan_of(problem, "star"), 1).results[0]
    real = sum(module.payload_bit for module in modules.values())
    moves = [entry for entry in result.entries if entry.event != "train"]
    assert len(moves) == 40
    assert {(entry.charged_bits, entry.serialised_bits) for entry in moves} == {(48_000_000, real)}


def test_counted_payload_that_is_not_the_real_one_is_refused() -> None:
    scenario = small_scenario("tiny")
    wrong = tuple(
        m.model_copy(update={"payload_bit": m.payload_bit + 8}) if m.name == "head-shapes" else m
        for m in scenario.modules
    )
    problem = build_problem(scenario.model_copy(update={"modules": wrong}))
    with pytest.raises(InputError, match=r"modules\.head-shapes\.payload_bit"):
        run(problem, plan_of(problem, "star"), 1)


def test_events_of_a_mixed_cycle_in_the_ledger() -> None:
    problem = small_problem("tiny")
    events = [{e.event for e in result.entries} for result in run(problem, chain_plan(problem, MIXED), 4).results]
    at_head, above = {"train", "gather", "scatter"}, {"train", "uplink", "downlink", "backhaul-up", "backhaul-down"}
    assert events == [at_head, above, at_head, above]


def test_published_results_come_back_for_free() -> None:
    problem = small_problem("paper")
    done = run(problem, plan_of(problem, "h-fedfm-2"), 2)
    assert {e.event for r in done.results for e in r.entries} == {"train", "uplink", "backhaul-up"}
    for module in problem.modules:
        assert_mean(problem, done.trained[1], done.results[1].states, module, rows_of(problem, module))


def test_training_time_and_energy_stand_in_the_ledger() -> None:
    """``C / f`` seconds and ``kappa f^2 C`` joules; the phase before the average ends with the slowest device."""
    problem = small_problem("tiny")
    done = run(problem, plan_of(problem, "star"), 1)
    train = [entry for entry in done.results[0].entries if entry.event == "train"]
    seconds = problem.cycles / problem.cpu_max_hz
    assert [entry.seconds for entry in train] == pytest.approx(seconds.tolist())
    joules = problem.capacitance_j_s2 * problem.cpu_max_hz**2 * problem.cycles
    assert [entry.joules for entry in train] == pytest.approx(joules.tolist())
    assert done.engine.after_training(1, np.array([0.0, 2.0])) == pytest.approx(
        (max(seconds[:3].max(), 2.0 + seconds[3:].max()), joules.sum())
    )


def test_a_diverged_copy_stops_the_round() -> None:
    problem = small_problem("tiny")

    def diverge(_problem: Problem, states: StackedStates, _number: int) -> StackedStates:
        return states.replace("head-digits", [1], {k: v[1] * np.nan for k, v in states.modules["head-digits"].items()})

    with pytest.raises(InputError, match="diverged"):
        run(problem, plan_of(problem, "star"), 1, train=diverge)


def with_depths(scenario: str, depths: dict[str, int]) -> Problem:
    """A built-in scenario whose modules may be summed on the way to the given heights only."""
    given = small_scenario(scenario)
    modules = tuple(m.model_copy(update={"presum_depth": depths.get(m.name)}) for m in given.modules)
    return build_problem(given.model_copy(update={"modules": modules}))


DEPTHS: list[dict[str, int]] = [
    {"adapters": 1, "head-digits": 0},
    {"adapters": 0, "head-digits": 2, "head-shapes": 1},
]


@pytest.mark.parametrize("depths", DEPTHS)
@pytest.mark.parametrize("relay", ["sum", "forward"])
@pytest.mark.parametrize("scenario", ["tiny", "paper-si"])
def test_forwarded_copies_change_no_average(scenario: str, relay: str, depths: dict[str, int]) -> None:
    problem = with_depths(scenario, depths)
    done = run(problem, chain_plan(problem, uniform(problem, 1, 2, 4), relay), 4)
    for number in (1, 2, 3):
        for module, cell in itertools.product(problem.modules, range(len(problem.cells))):
            before, after = done.trained[number - 1], done.results[number - 1].states
            assert_mean(problem, before, after, module, rows_of(problem, module, cell))
    for module in problem.modules:
        assert_mean(problem, done.trained[3], done.results[3].states, module, rows_of(problem, module))


@pytest.mark.parametrize("depths", DEPTHS)
@pytest.mark.parametrize("relay", ["sum", "forward"])
@pytest.mark.parametrize("scenario", ["tiny", "paper-si", "paper"])
def test_the_ledger_of_forwarded_copies_is_what_the_referee_predicts(
    scenario: str, relay: str, depths: dict[str, int]
) -> None:
    problem = with_depths(scenario, depths)
    plan = chain_plan(problem, MIXED, relay)
    done = run(problem, plan, 4)
    entries = [entry for result in done.results for entry in result.entries]
    predicted, summed = run_cost(problem, plan, 4), run_cost(with_depths(scenario, {}), plan_without(plan, scenario), 4)
    assert sum(entry.charged_bits for entry in entries) == pytest.approx(predicted.bits, rel=1e-12)
    assert sum(entry.joules for entry in entries) == pytest.approx(predicted.energy_j, rel=1e-9)
    assert done.results[-1].record.end_s == pytest.approx(predicted.latency_s, rel=1e-9)
    assert predicted.bits > summed.bits
    if problem.scenario.learning.payload == "counted":
        assert all(entry.charged_bits == entry.serialised_bits for entry in entries)


def plan_without(plan: Plan, scenario: str) -> Plan:
    """The same plan for the scenario without limits on pre-summing."""
    return plan.model_copy(update={"scenario": ScenarioReference.of(with_depths(scenario, {}))})
