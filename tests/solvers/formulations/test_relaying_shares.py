"""How soon given routes bring all copies: against what two transfers on one link give by hand."""

import math

import numpy as np
import pytest
from relaying_instances import instance

from hffm_opt.plan.module_relaying import evaluate_relaying
from hffm_opt.solvers.formulations.relaying_shares import Timing, least_end, least_factor
from hffm_opt.solvers.module_relaying import RELAYING_METHODS, plan_relaying


def two(deadlines, delays=(0.0, 0.0), airtime=(1.0, 1.0)):
    return Timing(np.array(airtime)[:, None], np.array(delays), np.array(deadlines))


def test_a_later_deadline_leaves_no_time_unused():
    # Shares that are in proportion to 1 / deadline would end the second after 26 s.
    assert least_end(two([4.0, 100.0])) == pytest.approx(2.0, rel=1e-12)
    assert least_end(two([1.5, 100.0])) == pytest.approx(3.0, rel=1e-12)


def test_delays_shrink_what_is_left():
    # 1 / (T - 1) + 1 / T = 1
    assert least_end(two([9.0, 9.0], (1.0, 0.0))) == pytest.approx((3 + math.sqrt(5)) / 2, rel=1e-12)


def test_an_engine_may_exceed_a_deadline_by_rounding_and_no_more():
    assert least_end(two([2.0 - 1e-8, 2.0 - 1e-8])) == 2.0 - 1e-8
    assert math.isinf(least_end(two([2.0 - 1e-5, 2.0 - 1e-5])))


def test_deadlines_too_short_and_the_factor_that_is_enough():
    assert math.isinf(least_end(two([1.5, 2.0])))
    # 1 / (1.5 f) + 1 / (2 f) = 1
    assert least_factor(two([1.5, 2.0])) == pytest.approx(7 / 6, rel=1e-12)
    assert least_factor(two([4.0, 4.0])) == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_some_resource_gives_all_its_time_away(seed):
    relaying, training = instance(seed, devices=3, deadline_s=1e6)
    for method in RELAYING_METHODS:
        if method not in ("scratch", "cloud-global", "random-neighbour"):
            cost = evaluate_relaying(relaying.problem, plan_relaying(relaying, training, method), training)
            assert max(cost.load.values()) == pytest.approx(1.0, rel=1e-6)
