"""The mixed-integer programs on instances too large to enumerate: SCIP finds what HiGHS finds."""

from dataclasses import replace

import numpy as np
import pytest
from inference_cases import asked, chain, inference_of, section_of
from relaying_instances import instance

from hffm_opt.plan.placement import placement_problem
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.inference import NodeLimits, Server
from hffm_opt.scenario.read import load_scenario
from hffm_opt.scenario.specialise import Specialise
from hffm_opt.seeds import derive
from hffm_opt.solvers.engines.highs_outcome import Status
from hffm_opt.solvers.engines.pyomo_engine import solve_model
from hffm_opt.solvers.formulations import association_placement, chain_program, module_relaying, placement

GAP = 1e-6


def association(seed):
    """Forty devices, eight edges, a tenth of the pairs impossible."""
    rng = derive(seed, "association")
    cost = rng.uniform(0, 10, (40, 8))
    cost[rng.random(cost.shape) < 0.1] = np.inf
    load = rng.integers(1, 4, 40).astype(float)
    return association_placement.build(cost, rng.integers(12, 30, 8).astype(float), rng.uniform(0, 12, 8), load).model


def relaying(seed):
    """Two requests in two cells of six devices; deadlines drawn, so that some cannot be kept."""
    wanted = instance(seed, devices=6)[0]
    last = max(one.deadline_s for one in wanted.wanted)
    return module_relaying.build(wanted, sooner_s=(last / 3, last)).model


def experts(seed):
    """Six devices and two edge servers, four experts, figures drawn, limits that bind."""
    rng = derive(seed, "placement")
    scenario = load_scenario("m3t")
    devices = tuple(device.model_copy(update={"experts": None}) for device in scenario.devices)
    settings = Specialise(
        fetch_rounds=2,
        misfit_weight=float(rng.uniform(0, 2)),
        mixing_weight=float(rng.uniform(0, 1)),
        experts_per_device=2,
        edge_memory_bit=float(rng.uniform(1, 4)),
        max_train_s=2.0,
    )
    placing = placement_problem(
        build_problem(scenario.model_copy(update={"devices": devices, "specialise": settings})), 0
    )
    price = rng.uniform(0.1, 3.0, (4, 8, 8))
    price[:, range(8), range(8)] = 0.0
    apart = rng.uniform(0.0, 1.0, (6, 6))
    return placement.build(
        replace(
            placing,
            settings=settings,
            experts=("a", "b", "c", "d"),
            bits=rng.uniform(0.5, 1.5, 4),
            uses=np.ones((6, 4), dtype=bool),
            room=rng.uniform(1.5, 5.0, 6),
            base_s=rng.uniform(0.0, 0.5, 6),
            time_s=rng.uniform(0.2, 1.0, (6, 4)),
            train_j=rng.uniform(0.1, 4.0, (6, 4)),
            price=price,
            misfit=rng.uniform(0.1, 2.0, (6, 6)),
            apart=apart + apart.T,
            nodes=(*"uvwxyz", "edge-0", "edge-1"),
        )
    ).model


def inference(seed):
    """Two classes of five segments with peers, and rooms that bind."""
    rng = derive(seed, "inference")
    devices = ("device-0-0", "device-1-0")
    classes = [
        asked(f"c{i}", ("digits", "shapes")[i % 2], device, float(rng.uniform(1, 40)))
        for i, device in enumerate(devices)
    ]
    chains = tuple(
        chain(task, 3, float(10 ** rng.uniform(6, 8)), int(rng.integers(500, 60_000))) for task in ("digits", "shapes")
    )
    room = {name: NodeLimits(memory_bit=float(rng.uniform(800, 6000))) for name in (*devices, "edge-0", "edge-1")}
    edge = Server(flop_per_s=float(10 ** rng.uniform(9, 11)), j_per_flop=1e-10)
    section = section_of(*classes, chains=chains, nodes=room, peers=True, edge=edge, load_limit=0.9)
    return chain_program.build(inference_of(section), (1.0, 0.5)).model


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("model", [association, relaying, experts, inference])
def test_scip_finds_what_highs_finds(model, seed):
    first = solve_model(model(seed), "highs", gap=GAP, time_limit_s=60)
    second = solve_model(model(seed), "scip", gap=GAP, time_limit_s=60)
    assert first.status is second.status and first.status in (Status.OPTIMAL, Status.INFEASIBLE)
    if first.status is Status.OPTIMAL:
        assert second.objective == pytest.approx(first.objective, rel=3 * GAP)
        assert first.bound <= second.objective * (1 + GAP) and second.bound <= first.objective * (1 + GAP)
