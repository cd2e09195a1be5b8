import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hffm_opt.errors import InputError
from hffm_opt.learning.tasks import TaskData, partition


def pool(size: int, answers: int) -> TaskData:
    tokens = np.zeros((size, 1), dtype=np.int64)
    labels = (np.arange(size) % answers).astype(np.int64)
    return TaskData(np.zeros((size, 1, 1, 3), dtype=np.uint8), tokens, tokens, labels, ("a",) * size)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 25), max_size=10),
    st.sampled_from([1e-3, 0.1, 1.0, 100.0]),
    st.integers(1, 9),
    st.integers(0, 20),
    st.integers(0, 3),
)
def test_counts_are_exact_and_no_sample_is_used_twice(
    counts: list[int], alpha: float, answers: int, spare: int, seed: int
) -> None:
    data = pool(sum(counts) + spare, answers)
    shares = partition(data, counts, alpha, seed)
    assert [len(share) for share in shares] == counts
    used = np.concatenate([*shares, np.zeros(0, dtype=np.int64)])
    assert len(np.unique(used)) == len(used)
    assert all(share.dtype == np.int64 for share in shares)
    assert not len(used) or (used.min() >= 0 and used.max() < len(data))


def distance(alpha: float) -> float:
    """Return the mean total variation distance of 40 devices' answers from the pool's."""
    data = pool(20000, 18)
    shares = partition(data, [100] * 40, alpha, seed=0)
    laws = [np.bincount(data.answers[share], minlength=18) / 100 for share in shares]
    return float(np.mean([np.abs(law - 1 / 18).sum() / 2 for law in laws]))


def test_small_alpha_skews_and_large_alpha_does_not() -> None:
    skewed, middle, even = (distance(alpha) for alpha in (0.1, 1.0, 1000.0))
    assert skewed > 0.7 > middle > even
    assert even < 0.25  # what drawing 100 samples out of 18 even answers leaves


def test_second_moment_is_that_of_the_dirichlet_law() -> None:
    # E sum_k q_k^2 = (alpha + 1) / (K alpha + 1); the sample version adds (1 - that) / n.
    data, n, K, alpha = pool(60000, 6), 50, 6, 0.5
    shares = partition(data, [n] * 400, alpha, seed=1)
    squares = [((np.bincount(data.answers[share], minlength=K) / n) ** 2).sum() for share in shares]
    exact = (alpha + 1) / (K * alpha + 1)
    assert np.mean(squares) == pytest.approx(exact + (1 - exact) / n, rel=0.06)


def test_same_seed_same_shares_and_the_law_of_a_device_is_its_own() -> None:
    data = pool(5000, 5)
    first, again, other = (partition(data, [30, 40], 0.3, seed) for seed in (2, 2, 3))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    without_first = partition(data, [0, 40], 0.3, 2)[1]
    assert np.array_equal(np.sort(data.answers[without_first]), np.sort(data.answers[first[1]]))


def test_a_pool_that_is_just_large_enough_is_used_up() -> None:
    shares = partition(pool(60, 4), [10, 0, 50], 0.1, 0)
    assert sorted(np.concatenate(shares).tolist()) == list(range(60))


@pytest.mark.parametrize(
    ("counts", "alpha", "paths"),
    [
        ([30, 40], 0.5, ["samples_per_device"]),
        ([5, -1], 0.5, ["samples_per_device[1]"]),
        ([5], 0.0, ["alpha"]),
        ([-2], float("nan"), ["samples_per_device[0]", "alpha"]),
    ],
)
def test_what_cannot_be_shared_out_is_refused(counts: list[int], alpha: float, paths: list[str]) -> None:
    with pytest.raises(InputError) as error:
        partition(pool(60, 3), counts, alpha, 0)
    assert [finding.path for finding in error.value.findings] == paths
