"""The real handwritten digits (scikit-learn's 1,797 scans) in three groups that share no scan."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from hffm_opt.seeds import derive

SPLITS: tuple[str, ...] = ("pretrain", "train", "test")
SHARES: tuple[float, ...] = (0.5, 0.3, 0.2)
_GROUPING_SEED = 1797  # the grouping is part of the data set: it must not move with the seed of a run


@cache
def _scans() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return np.asarray(digits.images, dtype=np.float64) / 16.0, np.asarray(digits.target, dtype=np.int64)


@cache
def scan_groups(split: str) -> tuple[tuple[int, ...], ...]:
    """Return the scan indices of ``split`` by digit, ten tuples, stratified by digit."""
    position = SPLITS.index(split)
    _, labels = _scans()
    groups = []
    for digit in range(10):
        order = derive(_GROUPING_SEED, "scans", digit).permutation(np.flatnonzero(labels == digit))
        edges = np.rint(np.cumsum((0.0, *SHARES)) * len(order)).astype(int)
        groups.append(tuple(int(scan) for scan in order[edges[position] : edges[position + 1]]))
    return tuple(groups)


def scan_image(index: int) -> NDArray[np.float64]:
    """Return scan ``index`` as ink in [0, 1], shape (8, 8)."""
    return _scans()[0][index]


def scan_label(index: int) -> int:
    """Return the digit that scan ``index`` shows."""
    return int(_scans()[1][index])
