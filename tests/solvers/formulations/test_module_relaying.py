"""Module relaying: against every holder and path, against the rules, and on requests that cannot be met."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from relaying_instances import best_of_all, instance

from hffm_opt.errors import InfeasibleError, InputError, LimitReachedError
from hffm_opt.plan.holders import relaying_problem
from hffm_opt.plan.module_relaying import evaluate_relaying
from hffm_opt.solvers.engines.pyomo_engine import through_pyomo
from hffm_opt.solvers.engines.registry import engine_for_models
from hffm_opt.solvers.formulations import relaying_search
from hffm_opt.solvers.module_relaying import RELAYING_METHODS, plan_relaying

SEEDS = range(24)
HIGHS = engine_for_models("highs")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_of_all_holders_and_paths(seed):
    relaying, training = instance(seed)
    best = best_of_all(relaying)
    if math.isinf(best):
        with pytest.raises(InfeasibleError):
            plan_relaying(relaying, training)
        return
    plan = plan_relaying(relaying, training)
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(best, rel=1e-6)
    assert plan.bound <= best * (1 + 1e-9)


def test_the_instances_include_impossible_ones_and_both_ways_of_sharing():
    impossible = {seed for seed in SEEDS if math.isinf(best_of_all(instance(seed)[0]))}
    assert 2 <= len(impossible) <= 16
    assert {seed % 2 for seed in SEEDS if seed not in impossible} == {0, 1}


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_no_rule_beats_the_bound_and_a_loose_deadline_suits_every_rule(seed):
    relaying, training = instance(seed, devices=3, deadline_s=1e6)
    best = plan_relaying(relaying, training)
    assert best.status == "optimal"
    for method in RELAYING_METHODS:
        try:
            plan = plan_relaying(relaying, training, method, seed=seed)
        except InfeasibleError:
            # No round of this network reaches the cloud, or no device holds the module.
            assert method in ("cloud-global", "random-neighbour")
            continue
        cost = evaluate_relaying(relaying.problem, plan, training)
        assert cost.feasible and plan.status in ("optimal", "feasible")
        assert (plan.objective is None) == (method == "scratch")
        assert plan.objective is None or plan.objective >= best.bound * (1 - 1e-9)


def test_highs_called_through_pyomo_finds_the_same(monkeypatch):
    monkeypatch.setattr(relaying_search, "solve_model", lambda model, *_, **__: through_pyomo(model, HIGHS, 0.0, 60.0))
    for seed in (3, 8):
        relaying, training = instance(seed, deadline_s=1e3)
        assert plan_relaying(relaying, training).objective == pytest.approx(best_of_all(relaying), rel=1e-6)


def test_deadlines_too_short_are_told_with_what_would_suffice():
    relaying, training = instance(0, deadline_s=1e6)
    quick = plan_relaying(replace(relaying, energy_weight=0.0, misfit_weight=0.0), training).latency_s
    short, training = instance(0, deadline_s=quick / 3)
    with pytest.raises(InfeasibleError, match="bottleneck") as caught:
        plan_relaying(short, training)
    factor = float(re.search(r"deadlines (\S+) times", str(caught.value)).group(1))
    assert plan_relaying(instance(0, deadline_s=quick / 3 * factor)[0], training).status == "optimal"
    assert math.isinf(best_of_all(instance(0, deadline_s=quick / 3 * factor * 0.999)[0]))


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_the_factor_told_is_the_least_where_fixed_delays_take_most_of_the_deadlines(seed):
    relaying, _ = instance(seed, deadline_s=1.0)
    slow = replace(relaying.network, delay_s=np.where(relaying.network.delay_s > 0, 0.45, 0.0))
    late = replace(relaying, network=slow)

    def stretched(factor):
        return replace(late, wanted=tuple(replace(one, deadline_s=factor) for one in late.wanted))

    factor, _ = relaying_search.enough_time(late, "highs", 60.0)
    assert math.isfinite(best_of_all(stretched(factor * 1.0001))) and math.isinf(best_of_all(stretched(factor * 0.999)))


def test_a_module_that_nobody_holds_and_a_device_without_links_are_told():
    relaying, training = instance(0)
    alone = replace(relaying, wanted=(replace(relaying.wanted[0], holders=()),))
    with pytest.raises(InfeasibleError, match="nobody holds module"):
        plan_relaying(alone, training)
    device = relaying.network.nodes[relaying.wanted[0].device]
    cut = {(a, device) for a in relaying.network.nodes}
    lost = relaying_problem(relaying.problem, training, 3, 0, without=cut)
    with pytest.raises(InfeasibleError, match="no path of links"):
        plan_relaying(lost, training)
    network, wanted = relaying.network, relaying.wanted[0]
    away = [h for h in wanted.holders if network.cell[h.node] != network.cell[wanted.device]]
    slow = replace(network, delay_s=np.where((network.source == network.cloud), wanted.deadline_s, 0.0))
    with pytest.raises(InfeasibleError, match="fixed delays alone"):
        plan_relaying(replace(relaying, network=slow, wanted=(replace(wanted, holders=tuple(away)),)), training)


def test_bad_arguments_are_told():
    relaying, training = instance(0)
    with pytest.raises(InputError, match="no method of relaying"):
        plan_relaying(relaying, training, "teleport")
    with pytest.raises(InputError, match="nothing is wanted"):
        plan_relaying(replace(relaying, wanted=()), training)


def test_a_time_limit_leaves_a_sound_bound_or_says_that_there_is_no_plan():
    relaying, training = instance(4, devices=3, deadline_s=1e6)
    best = plan_relaying(relaying, training)
    try:
        plan = plan_relaying(relaying, training, time_limit_s=1e-3)
    except LimitReachedError:
        return
    assert plan.bound <= best.objective * (1 + 1e-9) and plan.objective >= best.bound * (1 - 1e-9)
    assert (plan.status == "limit") == (plan.gap > 1.1e-6) == (plan.stop_reason != "gap closed")
