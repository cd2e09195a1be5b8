"""Uncertainty of an answer, and thresholds on it at which samples may end early.

    margin    u = 1 - (p_first - p_second)          of the two likeliest answers
    entropy   u = -sum p log p / log A

A sample ends at the first exit where u <= threshold. Thresholds are chosen on calibration samples: of all combinations
of quantiles, the one that computes least, among those whose accuracy is at most ``tolerance`` below that of the model
without exits.

Source: multi-tier models with uncertainty thresholds, EdgeFM, arXiv 2311.10986; early exits, arXiv 1709.01686.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hffm_opt.plan.inference.model import Uncertainty

Floats = NDArray[np.float64]
NEVER = -1.0
STEPS = {1: 40, 2: 40, 3: 16}
"""Quantiles that are tried at each exit, by the number of exits."""


def uncertainty(logits: Floats, kind: Uncertainty) -> Floats:
    """Return how uncertain answers are, [N] in [0, 1], of logits [N, A]; minus infinity is no answer.

    Example:
        >>> uncertainty(np.array([[0.0, 0.0], [50.0, 0.0]]), "margin").round(6).tolist()
        [1.0, 0.0]
    """
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = shifted / shifted.sum(axis=1, keepdims=True)
    if kind == "margin":
        two = np.sort(shares, axis=1)[:, -2:]
        return np.asarray(np.clip(1.0 - (two[:, 1] - two[:, 0]), 0.0, 1.0))
    amount = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    return np.asarray(np.clip(amount / np.log(max(2, logits.shape[1])), 0.0, 1.0))


@dataclass(frozen=True)
class Tier:
    """An exit on the calibration samples: uncertainty and worth of its answers [N], FLOPs of its head.

    ``saved_flop`` is what a sample that ends here does not compute any more, without later exits' heads.
    """

    uncertainty: Floats
    worth: Floats
    flop: float
    saved_flop: float


@dataclass(frozen=True)
class Thresholds:
    """Chosen thresholds (:data:`NEVER` where an exit is of no use), shares of requests that end, and accuracy.

    Shares are those of the samples with one more that ends nowhere: planning never takes it for certain that all end.
    """

    thresholds: tuple[float, ...]
    shares: tuple[float, ...]
    accuracy: float


def ends_at(tiers: Sequence[Tier], thresholds: Sequence[float]) -> NDArray[np.int64]:
    """Return at which exit each sample ends, [N]; ``len(tiers)`` where at none."""
    ends = np.full(len(tiers[0].worth), len(tiers), dtype=np.int64)
    for place in reversed(range(len(tiers))):
        ends[tiers[place].uncertainty <= thresholds[place]] = place
    return ends


def choose_thresholds(tiers: Sequence[Tier], full: Floats, tolerance: float) -> Thresholds:
    """Return the thresholds that compute least within the tolerance.

    Args:
        tiers: the exits in the order of the trunk, at least one.
        full: worth [N] of the answers without any exit.
        tolerance: how much accuracy may be lost on these samples.

    Example:
        >>> sure = Tier(np.array([0.1, 0.9]), np.array([1.0, 0.0]), flop=1.0, saved_flop=9.0)
        >>> choose_thresholds([sure], np.array([1.0, 1.0]), tolerance=0.0).thresholds
        (0.1,)
    """
    steps = STEPS.get(len(tiers), 8)
    grids = [
        (NEVER, *np.unique(np.quantile(t.uncertainty, np.linspace(0, 1, steps + 1), method="lower"))) for t in tiers
    ]
    least, best = 0.0, (NEVER,) * len(tiers)
    for chosen in product(*grids):
        ends = ends_at(tiers, chosen)
        worth = np.select([ends == i for i in range(len(tiers))], [t.worth for t in tiers], full)
        if worth.mean() < full.mean() - tolerance - 1e-12:
            continue
        spent = 0.0
        for i, tier in enumerate(tiers):
            if chosen[i] > NEVER:
                spent += tier.flop * float((ends >= i).mean()) - tier.saved_flop * float((ends == i).mean())
        if spent < least - 1e-9:
            least, best = spent, tuple(float(value) for value in chosen)
    ends = ends_at(tiers, best)
    worth = np.select([ends == i for i in range(len(tiers))], [t.worth for t in tiers], full)
    shares = tuple(float((ends == i).sum() / (len(ends) + 1)) for i in range(len(tiers)))
    return Thresholds(best, shares, float(worth.mean()))
