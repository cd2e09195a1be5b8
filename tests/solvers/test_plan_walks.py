"""Plans of walks on networks of few links: lone devices, devices without modules, loss near 1, many walkers."""

import numpy as np
import pytest

from hffm_opt.errors import InputError
from hffm_opt.plan.walk_referee import check_walk, passage_times
from hffm_opt.plan.walks import WalkPlan, walk, walk_cost
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.read import load_scenario
from hffm_opt.serial import dump_json
from hffm_opt.solvers.walks import CHAINS, plan_walk

TINY = load_scenario("tiny")


def network(**devices):
    """``tiny`` with some devices changed, by name."""
    changed = tuple(device.model_copy(update=devices.get(device.name.replace("-", "_"), {})) for device in TINY.devices)
    return build_problem(TINY.model_copy(update={"devices": changed}))


@pytest.mark.parametrize("chain", CHAINS)
def test_a_lone_device_is_an_island_whose_modules_stay(chain):
    problem = network(device_0_2={"d2d": False})
    plan = plan_walk(problem, chain)
    check_walk(problem, plan)
    alone = next(island for island in plan.islands if "device-0-2" in island.devices)
    assert (alone.devices, alone.transition, alone.law, alone.slem) == (("device-0-2",), ((1.0,),), (1.0,), 0.0)
    assert len(plan.islands) == 3
    row = [device.name for device in TINY.devices].index("device-0-2")
    for part in walk(problem, plan, 30, 0):
        assert row in part.training
        assert all(row not in (step.source, step.target) for step in part.hops)


def test_devices_that_own_nothing_carry_and_never_train():
    problem = network(device_0_1={"samples": {"digits": 0, "shapes": 0}})
    row = 1
    assert not problem.owners[row].any()
    plan = plan_walk(problem, walkers=2, late=2, loss=0.2)
    rounds = list(walk(problem, plan, 200, 1))
    assert any(step.target == row for part in rounds for step in part.hops)
    assert all(row not in part.training and row not in {u for _, u in part.created} for part in rounds)


def test_a_module_that_an_island_does_not_own_never_walks_there():
    cell = {f"device_0_{k}": {"samples": {"digits": 8, "shapes": 0}} for k in range(3)}
    problem = network(**cell)
    m = problem.modules.index("head-shapes")
    members = set(problem.cells[0].members.tolist())
    plan = plan_walk(problem, walkers=3, late=1, loss=0.1)
    rounds = list(walk(problem, plan, 50, 0))
    assert not any(step.module == m and step.source in members for part in rounds for step in part.hops)
    assert not any(made == m and u in members for part in rounds for made, u in part.created)


def test_more_walkers_than_devices_begin_on_every_device_that_trains_the_module():
    problem = build_problem(TINY)
    plan = plan_walk(problem, walkers=1000)
    begin = next(walk(problem, plan, 1, 0))
    assert begin.training == tuple(np.flatnonzero(problem.owners.any(axis=1)).tolist())
    assert walk_cost(problem, plan, 50, 0).met <= 2 * problem.owners.sum()


def test_with_loss_near_1_everything_dies_or_is_made_anew():
    problem = build_problem(TINY)
    plan = plan_walk(problem, loss=1 - 1e-9)
    rounds = list(walk(problem, plan, 300, 0))
    assert not any(step.arrived for part in rounds for step in part.hops) and not rounds[-1].training
    # No time passes and nothing is spent once everything is lost.
    assert walk_cost(problem, plan, 300, 0).energy_j == walk_cost(problem, plan, 400, 0).energy_j
    again = list(walk(problem, plan_walk(problem, loss=1 - 1e-9, late=2), 300, 0))
    assert all(any(part.training for part in again[k : k + 10]) for k in range(0, 300, 10))


def test_networks_without_links_are_refused():
    near = TINY.physics.model_copy(update={"d2d_range_m": 0.1})
    with pytest.raises(InputError, match="no module can walk") as told:
        plan_walk(build_problem(TINY.model_copy(update={"physics": near})))
    assert "d2d_range_m" in told.value.findings[0].repair


def test_the_certificate_is_kept():
    problem = build_problem(TINY)
    fast, usual, soon = (plan_walk(problem, chain) for chain in CHAINS)
    for a, b, c in zip(fast.islands, usual.islands, soon.islands, strict=True):
        assert a.bound is not None and a.bound <= a.slem <= a.slem_metropolis_hastings == pytest.approx(b.slem)
        assert a.gap == a.slem - a.bound < 1e-6
        assert b.bound is b.gap is a.kemeny is b.kemeny is c.bound is None
        assert c.kemeny.bound <= c.kemeny.constant <= c.kemeny.metropolis_hastings
        assert c.kemeny.gap == c.kemeny.constant - c.kemeny.bound < 1e-6
        assert c.kemeny.constant == pytest.approx(passage_times(c.transition)[0] @ c.law)


def test_files_tell_of_kemeny_where_it_was_sought():
    problem = build_problem(TINY)
    for chain in CHAINS:
        plan = plan_walk(problem, chain)
        told = dump_json(plan)
        assert ('"kemeny"' in told) == (chain == "minimal-kemeny")
        assert WalkPlan.model_validate_json(told) == plan
