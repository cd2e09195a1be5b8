"""Periods, kinds of round and tiers against a count round by round, and the drift by hand."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from small_networks import circulation, small_problem

from hffm_opt.plan import ModuleCirculation, Tier
from hffm_opt.plan.circulation import LONGEST_PERIOD, drift, kind_of_round, tiers, top_kind, uniform

PERIODS = [None, 1, 2, 4, 8, 16]


def nested(periods):
    finite = [p for p in periods if p is not None]
    return finite == sorted(finite)


TRIPLES = [triple for triple in itertools.product(PERIODS, repeat=3) if nested(triple)]


@given(st.lists(st.sampled_from(TRIPLES), min_size=1, max_size=4))
def test_kinds_stand_for_rounds(triples):
    """In every round of two cycles, the kind's tier is the deepest one whose period divides the round's number."""
    circ = tuple(ModuleCirculation(module=f"m{i}", d2d=d, edge=e, cloud=c) for i, (d, e, c) in enumerate(triples))
    top = top_kind(circ)
    for number in range(1, 2 * 2**top + 1):
        expected = []
        for triple in triples:
            due = [tier for tier, period in enumerate(triple, start=1) if period and number % period == 0]
            expected.append(max(due, default=0))
        assert tiers(circ, kind_of_round(number, top)).tolist() == expected, number


@pytest.mark.parametrize("periods", [(4, 2, None), (None, 4, 2), (8, None, 4), (3, None, None), (None, 1, 6)])
def test_periods_must_nest_and_be_dyadic(periods):
    with pytest.raises(ValidationError, match="periods of 'm' must"):
        ModuleCirculation(module="m", d2d=periods[0], edge=periods[1], cloud=periods[2])


@pytest.mark.parametrize("period", [0, -1, 2 * LONGEST_PERIOD, 1.0])
def test_periods_are_whole_positive_and_bounded(period):
    with pytest.raises(ValidationError):
        ModuleCirculation(module="m", edge=period)


def test_tiers_are_ordered_by_depth():
    assert Tier.LOCAL < Tier.D2D < Tier.EDGE < Tier.CLOUD


@pytest.fixture
def problem():
    return small_problem([[(1, 1)]], [[1]], [[1]], horizon_rounds=20)


@pytest.mark.parametrize(
    ("periods", "within", "between"),
    [
        ((1, 2, 4), 0, 15),
        ((None, 2, 4), 3, 15),
        ((None, None, 4), 15, 15),
        ((2, None, None), 3, 399),
        ((None, None, None), 399, 399),
        ((None, None, 1), 0, 0),
        # Longer than the horizon of 20 rounds is as good as never.
        ((None, 32, 64), 399, 399),
    ],
)
def test_drift_of_one_module(problem, periods, within, between):
    # The modules a and b are averaged at the cloud each round and add nothing.
    circ = circulation(s=periods, a=(None, None, 1), b=(None, None, 1))
    assert drift(problem, circ) == pytest.approx(within + between)


def test_drift_weighs_modules_by_their_squared_divergence(problem):
    problem.divergence_within[:] = [3.0, 1.0, 0.0]
    problem.divergence_between[:] = [0.5, 2.0, 0.0]
    assert drift(problem, uniform(problem, None, 2, 4)) == pytest.approx(9 * 3 + 0.25 * 15 + 3 + 4 * 15)


@given(st.sampled_from(TRIPLES), st.integers(0, 2))
def test_averaging_more_often_never_drifts_more(triple, at):
    problem = small_problem([[(1, 1)]], [[1]], [[1]])
    period = triple[at]
    if period == 1:
        return
    oftener = list(triple)
    oftener[at] = 16 if period is None else period // 2
    if not nested(oftener):
        return
    before, after = circulation(s=triple), circulation(s=tuple(oftener))
    assert drift(problem, after) <= drift(problem, before)
