"""Thresholds: against trying everything, and the measures of uncertainty by hand."""

from itertools import product

import numpy as np
import pytest

from hffm_opt.learning.inference.thresholds import NEVER, Tier, choose_thresholds, ends_at, uncertainty
from hffm_opt.seeds import derive


def drawn(seed, tiers, samples=12):
    """Tiers whose answers are the likelier right the surer they are."""
    rng = derive(seed, "tiers")
    found = []
    for place in range(tiers):
        unsure = rng.random(samples).round(3)
        right = (rng.random(samples) > unsure * (1 - 0.2 * place)).astype(float)
        found.append(Tier(unsure, right, flop=1.0, saved_flop=20.0 - 6 * place))
    return found, (rng.random(samples) < 0.9).astype(float)


def cost_of(tiers, ends, used):
    reached = [np.mean(ends >= i) for i in range(len(tiers))]
    return sum(tier.flop * reached[i] - tier.saved_flop * np.mean(ends == i) for i, tier in enumerate(tiers) if used[i])


def worth_of(tiers, ends, full):
    return np.mean([tiers[e].worth[n] if e < len(tiers) else full[n] for n, e in enumerate(ends)])


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("tolerance", [0.0, 0.1])
def test_no_other_thresholds_compute_less_within_the_tolerance(seed, tolerance):
    tiers, full = drawn(seed, 1 + seed % 2)
    chosen = choose_thresholds(tiers, full, tolerance)
    ends = ends_at(tiers, chosen.thresholds)
    assert worth_of(tiers, ends, full) == pytest.approx(chosen.accuracy)
    assert chosen.accuracy >= full.mean() - tolerance - 1e-9
    best = min(
        cost_of(tiers, tried, [limit > NEVER for limit in limits])
        for limits in product(*[(NEVER, *tier.uncertainty) for tier in tiers])
        for tried in [ends_at(tiers, limits)]
        if worth_of(tiers, tried, full) >= full.mean() - tolerance - 1e-9
    )
    assert cost_of(tiers, ends, [limit > NEVER for limit in chosen.thresholds]) == pytest.approx(best)


def test_an_exit_that_errs_or_saves_nothing_is_not_used():
    wrong = Tier(np.zeros(4), np.zeros(4), 1.0, 9.0)
    dear = Tier(np.zeros(4), np.ones(4), 9.0, 9.0)
    for tier in (wrong, dear):
        assert choose_thresholds([tier], np.ones(4), 0.0).thresholds == (NEVER,)


def test_shares_never_promise_that_all_end():
    sure = Tier(np.zeros(9), np.ones(9), 1.0, 9.0)
    assert choose_thresholds([sure], np.ones(9), 0.0).shares == (0.9,)


def test_uncertainty_by_hand():
    logits = np.log(np.array([[0.5, 0.3, 0.2], [1 / 3, 1 / 3, 1 / 3]]))
    assert uncertainty(logits, "margin") == pytest.approx([0.8, 1.0])
    entropy = -(0.5 * np.log(0.5) + 0.3 * np.log(0.3) + 0.2 * np.log(0.2)) / np.log(3)
    assert uncertainty(logits, "entropy") == pytest.approx([entropy, 1.0])
    without = np.array([[0.0, -1e9]])
    assert uncertainty(without, "margin")[0] == uncertainty(without, "entropy")[0] == 0.0
