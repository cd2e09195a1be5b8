"""Statistics add up: the sum of the parts is the whole, however the whole is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from round_cases import small_problem

from hffm_opt.learning.aggregation import Statistic, sample_weights, total
from hffm_opt.seeds import derive

WEIGHTS = st.lists(st.integers(1, 500), min_size=1, max_size=9)


def random_statistics(weights: list[int], seed: int) -> list[Statistic]:
    rng = derive(seed, "states")
    states = [{"w": torch.from_numpy(rng.standard_normal((3, 2)).astype(np.float32))} for _ in weights]
    return [Statistic.of(state, weight) for state, weight in zip(states, weights, strict=True)]


@given(weights=WEIGHTS, cut=st.integers(0, 9), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_sum_of_parts_is_the_whole(weights: list[int], cut: int, seed: int) -> None:
    parts = random_statistics(weights, seed)
    cut = min(cut, len(parts))
    halves = [total(half) for half in (parts[:cut], parts[cut:]) if half]
    whole, summed = total(parts), total(halves)
    assert summed.weight == whole.weight == sum(weights)
    torch.testing.assert_close(summed.sums["w"], whole.sums["w"], rtol=1e-13, atol=1e-12)
    torch.testing.assert_close(summed.mean()["w"], whole.mean()["w"], rtol=1e-6, atol=1e-7)


@given(weights=WEIGHTS, seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_mean_is_the_weighted_mean(weights: list[int], seed: int) -> None:
    parts = random_statistics(weights, seed)
    states = np.stack([(part.sums["w"] / part.weight).numpy() for part in parts])
    expected = np.average(states, axis=0, weights=np.array(weights))
    np.testing.assert_allclose(total(parts).mean()["w"].numpy(), expected, rtol=1e-6, atol=1e-7)


@given(weights=WEIGHTS, seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_mean_of_equal_states_is_that_state_to_the_last_bit(weights: list[int], seed: int) -> None:
    state = {"w": torch.from_numpy(derive(seed).standard_normal(50).astype(np.float32))}
    mean = total(Statistic.of(state, weight) for weight in weights).mean()
    assert torch.equal(mean["w"], state["w"])


def test_states_are_not_written_to() -> None:
    state = {"w": torch.tensor([1.0, 2.0])}
    total([Statistic.of(state, 3.0), Statistic.of(state, 5.0)]).mean()["w"].zero_()
    assert state["w"].tolist() == [1.0, 2.0]


def test_total_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        total([])


def test_weights_are_the_samples_of_the_modules_tasks() -> None:
    """Worked by hand from the table of samples of ``tiny``: adapters serve both tasks, each head its own."""
    assert sample_weights(small_problem("tiny")).tolist() == [
        [48, 24, 24],
        [32, 32, 0],
        [32, 0, 32],
        [32, 32, 0],
        [48, 24, 24],
        [48, 24, 24],
    ]


def test_only_owners_have_weight() -> None:
    problem = small_problem("paper-si")
    np.testing.assert_array_equal(sample_weights(problem) > 0, problem.owners)
