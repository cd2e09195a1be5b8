"""Fetches carried out: devices then hold the host's bits, and the ledger adds up to what the placement priced."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from round_cases import small_modules

from hffm_opt.errors import InputError
from hffm_opt.learning.fetching import fetch, holders
from hffm_opt.learning.modules import Module, StackedStates, initial_model
from hffm_opt.plan.fetching import fetch_cost
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
def test_devices_hold_the_hosts_bits_and_the_ledger_is_what_was_priced(
    edge_memory_bit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    fetching = plan.fetching(4)
    assert fetching is not None
    done = fetch(problem, fetching, modules, start, 3, start_s=2.5)
    rows = {device.name: u for u, device in enumerate(scenario.devices)}
    for wanted in plan.fetches:
        held = done.states.of_device(rows[wanted.device], wanted.module)
        assert all((tensor == rows[wanted.host]).all() for tensor in held.values())
    own = {name: problem.owners[:, problem.modules.index(name)] for name in EXPERTS}
    for name, nodes in plan.hosts.items():
        kept = [rows[node] for node in nodes]
        assert all((done.states.modules[name][key][kept] == start.modules[name][key][kept]).all() for key in held)
        assert np.flatnonzero(own[name]).tolist() == sorted(kept)
    assert all(kept.all() for kept in holders(problem, fetching, own).values())
    seconds, joules = (sum(getattr(entry, name) for entry in done.entries) for name in ("seconds", "joules"))
    assert done.end_s - 2.5 == pytest.approx(seconds, rel=1e-12)
    weights = scenario.planning
    priced = plan.transfer * scenario.specialise.fetch_rounds
    assert weights.latency_weight * seconds + weights.energy_weight * joules == pytest.approx(priced, rel=1e-9)
    told = fetch_cost(problem, fetching)
    assert (told.seconds, told.joules) == (pytest.approx(seconds, rel=1e-12), pytest.approx(joules, rel=1e-12))
    assert told.bits == sum(entry.charged_bits for entry in done.entries)
    assert all(entry.charged_bits == entry.serialised_bits for entry in done.entries)
    assert bool(plan.caches) == (edge_memory_bit > 0)
    monkeypatch.setattr("hffm_opt.learning.fetching.cross", lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(InputError, match="did not arrive as it was sent"):
        fetch(problem, fetching, modules, start, 3)
