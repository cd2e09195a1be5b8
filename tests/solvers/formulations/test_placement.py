"""Placement of experts: against every placement of small networks, and awkward limits."""

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest

from hffm_opt.errors import InfeasibleError, InputError
from hffm_opt.plan.placement import placement_problem
from hffm_opt.plan.placement_referee import evaluate_placement
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.read import load_scenario
from hffm_opt.scenario.specialise import Specialise, specialised
from hffm_opt.seeds import derive
from hffm_opt.solvers.placement import PLACEMENT_METHODS, plan_placement


def mixture(**settings):
    """The mixture `m3t`, whose experts are to be placed."""
    scenario = load_scenario("m3t")
    devices = tuple(device.model_copy(update={"experts": None}) for device in scenario.devices)
    return scenario.model_copy(update={"devices": devices, "specialise": Specialise(**settings)})


def drawn(seed):
    """Three devices, two experts and an edge server with figures drawn at random, limits among them."""
    rng = derive(seed, "placement")
    placing = placement_problem(build_problem(mixture()), 0)
    bits = rng.uniform(0.5, 1.5, 2)
    price = (rng.uniform(0.1, 3.0, (4, 4)) + rng.uniform(0.0, 1.0) / bits[:, None, None]) * bits[:, None, None]
    if rng.random() < 0.5:
        price[:, 3, :] *= 0.2
    if rng.random() < 0.3:
        price[:, rng.integers(4), rng.integers(4)] = np.inf
    price[:, range(4), range(4)] = 0.0
    settings = Specialise(
        fetch_rounds=int(rng.integers(1, 4)),
        misfit_weight=float(rng.choice([0.0, 0.5, 2.0])),
        mixing_weight=float(rng.choice([0.0, 0.5, 5.0])),
        experts_per_device=int(rng.integers(1, 3)),
        edge_memory_bit=float(rng.choice([0.0, 1.0, 10.0])),
        max_train_s=float(rng.uniform(1.0, 3.0)),
    )
    misfit = rng.uniform(0.1, 2.0, (3, 3))
    apart = rng.uniform(0.0, 1.0, (3, 3)) * rng.integers(0, 2, (3, 3))
    return replace(
        placing,
        settings=settings,
        experts=placing.experts[:2],
        bits=bits,
        uses=np.array([[True, True], [True, True], [True, bool(rng.integers(2))]]),
        room=rng.uniform(1.0, 4.0, 3),
        base_s=rng.uniform(0.0, 0.5, 3),
        time_s=rng.uniform(0.2, 1.0, (3, 2)),
        train_j=rng.uniform(0.1, 4.0, (3, 2)),
        price=price,
        misfit=misfit,
        apart=apart + apart.T,
        nodes=("a", "b", "c", "edge"),
    )


def best_of_all(placing):
    """Return the least cost over every set of hosts, of kept copies, and of fetches."""
    settings, (users, count) = placing.settings, placing.uses.shape
    energy = placing.problem.scenario.planning.energy_weight
    places = [tuple(pair) for pair in np.argwhere(placing.uses)]
    best = np.inf
    for hosts in product([False, True], repeat=len(places)):
        x = np.zeros((users, count), dtype=bool)
        x[tuple(np.array(places).T)] = hosts
        if (x @ placing.bits > placing.room).any() or (x.sum(axis=1) > settings.experts_per_device).any():
            continue
        if (placing.base_s + (x * placing.time_s).sum(axis=1) > settings.max_train_s).any():
            continue
        if not x[placing.uses.any(axis=1)].any(axis=1).all():
            continue
        owned = [tuple(pair) for pair in np.argwhere(x)]
        for kept in product([False, True], repeat=len(owned)):
            z = [pair for pair, keep in zip(owned, kept, strict=True) if keep]
            if sum(placing.bits[m] for _, m in z) > settings.edge_memory_bit:
                continue
            cost = energy * placing.train_j[x].sum()
            cost += sum(placing.price[m, h, 3] for h, m in z) / settings.fetch_rounds
            for u, m in places:
                ways = [0.0 + settings.misfit_weight * placing.misfit[u, u]] if x[u, m] else [np.inf]
                if not x[u, m]:
                    for h in np.flatnonzero(x[:, m]):
                        start = [h, *([3] if (h, m) in z else [])]
                        moved = min(placing.price[m, s, u] for s in start) / settings.fetch_rounds
                        ways.append(moved + settings.misfit_weight * placing.misfit[h, u])
                cost += min(ways)
            cost += settings.mixing_weight * sum(
                placing.apart[h, g] * (x[h] & x[g]).sum() for h, g in combinations(range(users), 2)
            )
            best = min(best, cost)
    return best


@pytest.mark.parametrize("seed", range(20))
def test_the_best_of_all_placements(seed):
    placing = drawn(seed)
    best = best_of_all(placing)
    if not np.isfinite(best):
        with pytest.raises(InfeasibleError):
            plan_placement(placing)
        return
    plan = plan_placement(placing, gap=0.0)
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(best, rel=1e-7)
    assert not evaluate_placement(placing, plan).violations


def test_the_instances_include_impossible_ones_and_kept_copies():
    found = [best_of_all(drawn(seed)) for seed in range(20)]
    possible = [seed for seed, value in enumerate(found) if np.isfinite(value)]
    assert 5 <= len(possible) <= 19
    assert any(plan_placement(drawn(seed)).caches for seed in possible)


def test_rules_do_not_beat_the_bound_and_limits_hold():
    placing = placement_problem(build_problem(mixture(experts_per_device=2, edge_memory_bit=1e6, misfit_weight=0.1)), 0)
    best = plan_placement(placing, gap=1e-3)
    assert best.status == "optimal"
    everyone = plan_placement(placing, "everyone")
    assert everyone.status == "infeasible" and "experts" in everyone.stop_reason
    for seed in range(3):
        plan = plan_placement(placing, "random-specialists", seed=seed)
        assert plan.status == "feasible" and plan.objective >= best.bound * (1 - 1e-9)
    free = placement_problem(build_problem(mixture(misfit_weight=0.1)), 0)
    assert plan_placement(free, "everyone").objective >= plan_placement(free, gap=1e-3).bound * (1 - 1e-9)


def test_devices_with_like_data_share_experts_where_mixing_counts():
    """Two devices of each cell have data of one task each; four experts, one a device."""
    scenario = mixture(experts_per_device=1, edge_memory_bit=1e6, misfit_weight=0.1)
    names = [task.name for task in scenario.tasks]
    devices = tuple(
        device.model_copy(update={"samples": {name: 30 * (name == names[u % 4]) for name in names}})
        for u, device in enumerate(scenario.devices)
    )
    scenario = scenario.model_copy(update={"devices": devices})

    def made(weight):
        section = scenario.specialise.model_copy(update={"mixing_weight": weight})
        return placement_problem(build_problem(scenario.model_copy(update={"specialise": section})), 0)

    counted, free = plan_placement(made(0.1), gap=0.02), plan_placement(made(0.0))
    tasks = [{names[int(host[-1])] for host in hosts} for hosts in counted.hosts.values()]
    assert sorted(len(found) for found in tasks) == [1, 1, 1, 1]
    assert counted.mixing < free.mixing
    assert evaluate_placement(made(0.1), free).value >= counted.bound
    apart = made(0.0).apart
    assert np.allclose(apart, apart.T) and not apart.diagonal().any()
    assert apart[0, 1] == pytest.approx(1.0) and apart[0, 4] < 1.0


def test_devices_train_what_they_host_and_nothing_else():
    scenario = mixture(experts_per_device=1, misfit_weight=0.1)
    plan = plan_placement(placement_problem(build_problem(scenario), 0), gap=1e-2)
    problem = build_problem(specialised(scenario, plan.hosts))
    for name, nodes in plan.hosts.items():
        owners = np.flatnonzero(problem.owners[:, problem.modules.index(name)])
        assert {scenario.devices[u].name for u in owners} == set(nodes)


def test_what_cannot_be_is_told():
    with pytest.raises(InputError, match="no such section"):
        placement_problem(build_problem(load_scenario("m3t")), 0)
    with pytest.raises(InfeasibleError, match="no room for one expert"):
        plan_placement(placement_problem(build_problem(mixture(max_train_s=1e-6)), 0))
    placing = drawn(0)
    with pytest.raises(InputError, match="no method of placement"):
        plan_placement(placing, "guess")
    plan = plan_placement(placement_problem(build_problem(mixture(misfit_weight=0.1)), 0), "everyone")
    other = placement_problem(build_problem(mixture(misfit_weight=0.1).model_copy(update={"seed": 9})), 0)
    with pytest.raises(InputError, match="is for"):
        evaluate_placement(other, plan)
    assert set(PLACEMENT_METHODS) == {"optimal", "everyone", "random-specialists"}


def test_limits_hold_however_far_apart_the_sizes_of_experts_are():
    settings = {"misfit_weight": 0.1, "edge_memory_bit": 1e6, "experts_per_device": 2, "fetch_rounds": 8}
    placing = placement_problem(build_problem(mixture(**settings)), 0)
    price = placing.price.copy()
    price[:, placing.devices :], price[:, :, placing.devices :] = 0.0, 0.0  # copies at edge servers cost nothing
    wide = replace(placing, bits=np.array([1e15, 1e6, 1e6, 1e6]), price=price)
    plan = plan_placement(wide, gap=1e-2)
    assert plan.status == "optimal" and plan.caches
    assert not evaluate_placement(wide, plan).violations
