"""Copies cross the links as bytes: what arrives is what the source holds, and nobody else's copy changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from round_cases import plan_of, small_modules, small_scenario

from hffm_opt.errors import InputError
from hffm_opt.learning.modules import StackedStates, initial_model
from hffm_opt.learning.relaying import deliver
from hffm_opt.plan.holders import relaying_problem
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.requests import ModuleRequest, Requests
from hffm_opt.solvers.module_relaying import RELAYING_METHODS, plan_relaying

asked = tuple(
    ModuleRequest(device=name, task="shapes", samples=8, round=2, deadline_s=2.0)
    for name in ("device-0-1", "device-1-0")
)
scenario = small_scenario("tiny").model_copy(update={"requests": Requests(asked=asked)})
problem = build_problem(scenario)
training = plan_of(problem, "h-fedfm-2")
modules = small_modules()
start = initial_model(modules, 0)
FIRST, SECOND = 1, 3


def of_value(value):
    return {key: torch.full(shape, float(value)) for key, shape in modules["head-shapes"].shapes.items()}


@pytest.fixture
def states():
    """Device u holds a head of the value u."""
    found = StackedStates.repeat(start, len(scenario.devices))
    for u in range(len(scenario.devices)):
        found = found.replace("head-shapes", [u], of_value(u))
    return found


AVERAGES = {(node, "head-shapes"): of_value(100 + i) for i, node in enumerate(("edge-0", "edge-1", "cloud"))}


@pytest.mark.parametrize("method", RELAYING_METHODS)
def test_what_arrives_is_what_the_source_holds(states, method):
    plan = plan_relaying(relaying_problem(problem, training, 2, 0), training, method)
    done = deliver(problem, plan, training, modules, states, AVERAGES, start)
    rows = {device.name: u for u, device in enumerate(scenario.devices)}
    for transfer in plan.transfers:
        held = done.states.of_device(rows[transfer.device], "head-shapes")
        if transfer.source is None:
            due = start["head-shapes"]
        elif transfer.source in rows:
            due = of_value(rows[transfer.source])
        else:
            due = AVERAGES[transfer.source, "head-shapes"]
        assert all(torch.equal(held[key], due[key]) for key in due)
    others = [u for u in range(len(rows)) if u not in (FIRST, SECOND)]
    assert done.states.rows(others).equal(states.rows(others))
    assert len(done.trace.copies) == (0 if method == "scratch" else 2)
    assert done.trace.ledger.charged_bits == done.trace.ledger.serialised_bits
    for name in ("latency_s", "energy_j", "bits"):
        assert getattr(done.trace.measured, name) == pytest.approx(getattr(done.trace.predicted, name), rel=1e-9)


def test_delays_add_up_and_the_slowest_hop_decides(states):
    plan = plan_relaying(relaying_problem(problem, training, 2, 0), training, "cloud-global")
    ledger = deliver(problem, plan, training, modules, states, AVERAGES, start).trace.ledger
    first, second = list(ledger.entries())[:2]
    assert (first.source, first.target, second.target) == ("cloud", "edge-0", "device-0-1")
    # 0.1 s of backhaul delay pass before the first packet goes on; the radio link is faster and waits for the last one.
    assert second.start_s == pytest.approx(0.1)
    assert second.start_s + second.seconds == pytest.approx(first.start_s + first.seconds)


def test_copies_that_diverged_and_plans_that_break_limits_are_refused(states):
    plan = plan_relaying(relaying_problem(problem, training, 2, 0), training, "cloud-global")
    diverged = {key: of_value(float("nan")) for key in AVERAGES}
    with pytest.raises(InputError, match="not finite"):
        deliver(problem, plan, training, modules, states, diverged, start)
    hops = tuple(hop.model_copy(update={"share": 3.0}) for hop in plan.transfers[0].hops)
    broken = plan.model_copy(
        update={"transfers": (plan.transfers[0].model_copy(update={"hops": hops}), plan.transfers[1])}
    )
    with pytest.raises(InputError, match="given away"):
        deliver(problem, broken, training, modules, states, AVERAGES, start)
    with pytest.raises(InputError, match="other requests"):
        deliver(
            replace(problem, scenario=scenario.model_copy(update={"seed": 9})),
            plan,
            training,
            modules,
            states,
            AVERAGES,
            start,
        )


def test_a_copy_that_a_link_has_changed_is_refused(states, monkeypatch):
    plan = plan_relaying(relaying_problem(problem, training, 2, 0), training)
    monkeypatch.setattr("hffm_opt.learning.relaying.cross", lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(InputError, match="did not arrive as it was sent"):
        deliver(problem, plan, training, modules, states, AVERAGES, start)
