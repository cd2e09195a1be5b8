"""Association by distance, against every possible assignment."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hffm_opt.errors import InputError
from hffm_opt.scenario.association import capacity_aware_edges, nearest_edges


def total_m(distance_m, chosen):
    return distance_m[np.arange(len(chosen)), list(chosen)].sum()


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 3), st.integers(1, 4))
def test_capacity_aware_is_the_best_of_all(seed, users, edges, most):
    distance_m = np.random.default_rng(seed).uniform(1, 1000, (users, edges))
    if users > most * edges:
        with pytest.raises(InputError, match=f"give at least {-(-users // edges)}"):
            capacity_aware_edges(distance_m, most)
        return
    chosen = capacity_aware_edges(distance_m, most)
    assert np.bincount(chosen).max() <= most
    every = itertools.product(range(edges), repeat=users)
    best = min(total_m(distance_m, c) for c in every if np.bincount(c).max() <= most)
    assert total_m(distance_m, chosen) == pytest.approx(best)


@given(st.integers(0, 2**32))
def test_without_a_binding_limit_both_agree(seed):
    distance_m = np.random.default_rng(seed).uniform(1, 1000, (12, 4))
    assert capacity_aware_edges(distance_m, 12).tolist() == nearest_edges(distance_m).tolist()


def test_nearest_takes_the_first_of_equals():
    assert nearest_edges(np.array([[2.0, 1.0, 1.0], [0.0, 0.0, 3.0]])).tolist() == [1, 0]


def test_a_crowded_edge_sends_away_whom_it_costs_least():
    distance_m = np.array([[1.0, 10.0], [1.0, 3.0], [1.0, 30.0]])
    assert capacity_aware_edges(distance_m, 2).tolist() == [0, 1, 0]


def test_a_city_is_quick():
    distance_m = np.random.default_rng(0).uniform(1, 2000, (816, 125))
    chosen = capacity_aware_edges(distance_m, 9)
    assert np.bincount(chosen).max() <= 9
