"""Fetches carried out: devices then hold the host's bits, and the ledger adds up to what the placement priced."""

from __future__ import annotations

import pytest
import torch
from round_cases import small_modules

from hffm_opt.learning.fetching import fetch
from hffm_opt.learning.modules import Module, StackedStates, initial_model
from hffm_opt.plan.placement import placement_problem
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.read import load_scenario
from hffm_opt.scenario.specialise import Specialise, specialised
from hffm_opt.solvers.placement import plan_placement

EXPERTS = ("expert-0", "expert-1", "expert-2", "expert-3")


def experts() -> dict[str, Module]:
    """Heads of a few numbers, which stand for the experts."""
    return dict.fromkeys(EXPERTS, small_modules()["head-digits"])


@pytest.mark.parametrize("edge_memory_bit", [0.0, 1e6])
def test_devices_hold_the_hosts_bits_and_the_ledger_is_what_was_priced(edge_memory_bit: float) -> None:
    modules = experts()
    bits = modules["expert-0"].payload_bit
    m3t = load_scenario("m3t")
    scenario = m3t.model_copy(
        update={
            "devices": tuple(device.model_copy(update={"experts": None}) for device in m3t.devices),
            "modules": tuple(
                m.model_copy(update={"payload_bit": bits}) if m.kind == "expert" else m for m in m3t.modules
            ),
            "specialise": Specialise(experts_per_device=1, edge_memory_bit=edge_memory_bit, misfit_weight=1.0),
        }
    )
    plan = plan_placement(placement_problem(build_problem(scenario), 0), gap=1e-3)
    problem = build_problem(specialised(scenario, plan.hosts))
    start = StackedStates.repeat(initial_model(modules, 0), len(scenario.devices))
    for name in EXPERTS:
        for u in range(start.devices):
            filled = {key: torch.full_like(tensor[u], float(u)) for key, tensor in start.modules[name].items()}
            start = start.replace(name, [u], filled)
    done = fetch(problem, plan, modules, start, 3)
    rows = {device.name: u for u, device in enumerate(scenario.devices)}
    for wanted in plan.fetches:
        held = done.states.of_device(rows[wanted.device], wanted.module)
        assert all((tensor == rows[wanted.host]).all() for tensor in held.values())
    for name, nodes in plan.hosts.items():
        kept = [rows[node] for node in nodes]
        assert all((done.states.modules[name][key][kept] == start.modules[name][key][kept]).all() for key in held)
        assert done.owners[name].all()
    weights = scenario.planning
    seconds, joules = done.ledger.total("seconds"), done.ledger.total("joules")
    priced = plan.transfer * scenario.specialise.fetch_rounds
    assert weights.latency_weight * seconds + weights.energy_weight * joules == pytest.approx(priced, rel=1e-9)
    assert done.ledger.charged_bits == done.ledger.serialised_bits
    assert bool(plan.caches) == (edge_memory_bit > 0)
