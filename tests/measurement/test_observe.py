"""What a ledger tells of links: the very gains that were, whatever the band, its sharing, and the way of counting."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import hffm_opt
from hffm_opt.learning.modules import StackedStates, build_modules, initial_model
from hffm_opt.learning.rounds import RoundEngine
from hffm_opt.measurement.observe import fading_of_bands, link_gains, measured_divergence, with_fading
from hffm_opt.measurement.replans import under_conditions
from hffm_opt.plan.carried import carried_out
from hffm_opt.plan.nominal import band_of
from hffm_opt.problem import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.conditions import Conditions
from hffm_opt.scenario.model import CLOUD, LinkGain, Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import Request
from hffm_opt.trace import Divergence, LedgerEntry, RoundRecord

ANSWERS = {"digits": 3, "shapes": 4}


def small(name: str) -> Scenario:
    scenario = load_scenario(name)
    modules = build_modules(4, 2, 2, ANSWERS)
    if scenario.learning.payload == "assumed":
        return scenario
    sized = tuple(
        m.model_copy(update={"payload_bit": modules[m.name].payload_bit}) if m.trainable else m
        for m in scenario.modules
    )
    return scenario.model_copy(update={"modules": sized})


def shared() -> Scenario:
    """`tiny` with bands that the links of a phase share."""
    scenario = small("tiny")
    bands = dict.fromkeys(("uplink_sharing", "downlink_sharing", "d2d_sharing"), "shared")
    return scenario.model_copy(
        update={"physics": scenario.physics.model_copy(update=bands | {"allocation": "optimised"})}
    )


def ran(problem: Problem, plan: hffm_opt.Plan, rounds: int = 4) -> list[LedgerEntry]:
    carried = carried_out(problem, plan)
    modules = build_modules(4, 2, 2, ANSWERS)
    engine = RoundEngine(carried.problem, carried.plan, modules)
    states, clock_s = StackedStates.repeat(initial_model(modules, 0), len(problem.scenario.devices)), engine.start_s
    entries: list[LedgerEntry] = []
    for number in range(1, rounds + 1):
        result = engine.average(number, states, clock_s)
        clock_s = result.clock_s
        entries += result.entries
    return entries


def true_gain(problem: Problem, source: str, target: str) -> tuple[str, float]:
    cell = next(cell for cell in problem.cells if {source, target} & set(cell.names))
    band = band_of(cell, source, target)
    if band == "uplink":
        return band, float(cell.uplink_gain[cell.names.index(source)])
    if band == "downlink":
        return band, float(cell.downlink_gain[cell.names.index(target)])
    return band, float(cell.d2d_gain[cell.names.index(source), cell.names.index(target)])


CASES = {
    "dedicated": (small("tiny"), "h-fedfm-2+d2d", {"uplink", "downlink", "d2d"}),
    "shared": (shared(), "h-fedfm-2+d2d", {"uplink", "downlink", "d2d"}),
    "published": (small("paper"), "h-fedfm-2", {"uplink"}),
    # An uploader drawn at random is charged the mean over its cell, which tells nothing of any link.
    "published, drawn": (small("paper"), "h-fedfm-2+d2d", {"d2d"}),
    "edges": (small("tiny"), "h-fedfm-2", {"uplink", "downlink"}),
    "past the edge": (small("tiny"), "star", set()),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("draw", [None, 5])
def test_the_gain_of_a_link_is_recovered_from_what_it_moved(case: str, draw: int | None) -> None:
    scenario, method, bands = CASES[case]
    problem = build_problem(scenario)
    plan = solve(problem, method, Request(seed=1)).plan
    now = under_conditions(problem, Conditions(draw=draw))
    carried = carried_out(now, plan)
    found = link_gains(carried.problem, carried.plan, ran(now, plan))
    assert {band for band, _ in found.values()} == bands
    for (source, target), (band, gain) in found.items():
        assert (band, gain) == (true_gain(now, source, target)[0], pytest.approx(true_gain(now, source, target)[1]))
    factors = fading_of_bands(problem, found)
    assert factors.keys() == bands
    for band, factor in factors.items():
        logs = [np.log(gain / true_gain(problem, *link)[1]) for link, (b, gain) in found.items() if b == band]
        assert factor == (1.0 if draw is None else pytest.approx(float(np.exp(np.mean(logs)))))


def test_a_link_that_changes_has_the_gain_that_moves_as_much_in_the_same_time() -> None:
    """Two equal transfers at 1 and 3 bit/s per Hz take as long as two at 1.5: gains of 1, 7 and 2^1.5 - 1 here."""
    problem = build_problem(small("tiny"))
    plan = solve(problem, "h-fedfm-2", Request()).plan
    arc = next(a for a in plan.cells[0].rounds[1].uplink.arcs if CLOUD not in (a.source, a.target))
    noise = dataclasses.replace(problem, noise_w_per_hz=arc.power_w / arc.bandwidth_hz)
    entries = [
        LedgerEntry(
            2,
            "uplink",
            plan.cells[0].edge,
            arc.source,
            arc.target,
            "adapters",
            6,
            6,
            0.0,
            6 / r / arc.bandwidth_hz,
            0.0,
        )
        for r in (1, 3)
    ]
    ((_, gain),) = link_gains(noise, plan, entries).values()
    assert gain == pytest.approx(2**1.5 - 1)


def test_nothing_is_told_by_what_did_not_move() -> None:
    problem = build_problem(small("tiny"))
    plan = solve(problem, "star", Request()).plan
    entry = LedgerEntry(1, "train", "edge-0", "device-0-0", "", "adapters", 0, 0, 0.0, 1.0, 1.0)
    assert link_gains(problem, plan, [entry]) == {} and fading_of_bands(problem, {}) == {}
    some = Conditions(absent=("device-0-0",))
    assert with_fading(problem, some, {}) is some and with_fading(problem, some, {"uplink": 1.0}) is some


def test_all_links_of_a_band_are_believed_to_fade_alike() -> None:
    problem = build_problem(small("tiny"))
    known = Conditions(gains=(LinkGain(source="device-0-0", target="edge-0", factor=0.5),))
    sounded = under_conditions(problem, known)
    found = under_conditions(problem, with_fading(sounded, known, {"uplink": 0.25, "d2d": 0.1}))
    for was, now in zip(sounded.cells, found.cells, strict=True):
        assert now.uplink_gain == pytest.approx(0.25 * was.uplink_gain)
        assert now.downlink_gain == pytest.approx(was.downlink_gain)
        assert now.d2d_gain == pytest.approx(0.1 * was.d2d_gain)


def record(number: int, **found: tuple[float, float]) -> RoundRecord:
    measured = {name: Divergence(within=w, between=b) for name, (w, b) in found.items()}
    return RoundRecord(round=number, kind=0, end_s=0, energy_j=0, bits=0, divergence=measured)


def test_divergences_keep_the_scale_of_the_scenario_and_the_shares_that_were_measured() -> None:
    scenario = small("tiny")
    names = [m.name for m in scenario.modules if m.trainable]
    a, b = names[:2]
    rounds = [record(1), record(2, **{a: (4.0, 1.0), b: (1.0, 0.0)}), record(3, **{a: (2.0, 1.0)})]
    found = {item.module: item for item in measured_divergence(scenario, rounds)}
    assert found.keys() == {a, b}
    given = [m for m in scenario.modules if m.name in (a, b)]
    stated = sum(m.divergence_within**2 + m.divergence_between**2 for m in given)
    squares = {name: (each.within**2, each.between**2) for name, each in found.items()}
    assert sum(map(sum, squares.values())) == pytest.approx(stated)
    # Means: 3 and 1 of a, 1 and 0 of b.
    assert squares[a] == pytest.approx((stated * 3 / 5, stated * 1 / 5))
    assert squares[b] == pytest.approx((stated * 1 / 5, 0.0))


def test_no_divergence_is_told_where_none_was_measured_or_all_copies_are_alike() -> None:
    scenario = small("tiny")
    name = next(m.name for m in scenario.modules if m.trainable)
    assert measured_divergence(scenario, [record(1)]) == ()
    assert measured_divergence(scenario, [record(1, **{name: (0.0, 0.0)})]) == ()
