"""Streams are told apart by every key, and equal on any machine."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hffm_opt.seeds import derive, derive_entropy, derive_torch_seed

KEYS = st.lists(st.one_of(st.integers(-(2**70), 2**70), st.text(max_size=8)), max_size=4)


def test_bits_are_those_recorded():
    """A change here changes every seeded result of the package."""
    assert derive_entropy(0) == 0x669B4C24C93570EB1DF6701E382789CB
    assert derive(7, "fading", 3).integers(1 << 30, size=3).tolist() == [511275799, 571475395, 645819061]


@given(st.integers(0, 2**64), KEYS)
def test_equal_arguments_give_equal_bits(seed, keys):
    assert derive(seed, *keys).bytes(16) == derive(seed, *keys).bytes(16)


@given(st.integers(0, 2**64), KEYS, KEYS)
def test_different_keys_give_different_streams(seed, left, right):
    assert (derive_entropy(seed, *left) == derive_entropy(seed, *right)) == (left == right)


def test_texts_and_integers_are_told_apart():
    streams = [("a", 1), ("a", "1"), ("a1",), ("a", "", 1), (1, "a"), ("a",), ("a", -1)]
    assert len({derive_entropy(0, *keys) for keys in streams}) == len(streams)
    assert derive_entropy(1, 2) != derive_entropy(12)


@pytest.mark.parametrize("number", [np.int64(3), np.int8(3), np.uint32(3)])
def test_integers_count_by_value(number):
    """A round number that comes out of an array must not change the stream."""
    assert derive_entropy(5, "round", number) == derive_entropy(5, "round", 3)
    assert derive_entropy(number, "x") == derive_entropy(3, "x")


@pytest.mark.parametrize("key", [1.0, None, ("a",), np.float64(2)])
def test_other_keys_are_refused(key):
    with pytest.raises(TypeError):
        derive_entropy(0, key)


@given(st.integers(0, 2**40), KEYS)
def test_torch_seeds_fit(seed, keys):
    assert 0 <= derive_torch_seed(seed, *keys) < 2**63


def test_streams_are_independent_of_the_global_generator_and_of_each_other():
    before = derive(0, "a").random(5)
    derive(0, "b").random(1000)
    assert np.array_equal(derive(0, "a").random(5), before)
    first, second = derive(0, "node", 0).standard_normal(20_000), derive(0, "node", 1).standard_normal(20_000)
    # Five standard errors of a correlation of nothing.
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(20_000)
