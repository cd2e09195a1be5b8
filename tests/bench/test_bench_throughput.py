"""How many times faster than the plain loop a path can be at all, by the products that each computes."""

import pytest

from hffm_opt.bench.round_throughput import _most, _remarks


def row(precision: str, seconds: float) -> dict[str, object]:
    """300 FLOP in 6 s against 100 FLOP in some seconds, where nothing is faster than 100 FLOP/s."""
    return {
        "model": "m",
        "device": "cpu",
        "precision": precision,
        "plain_flop": 300,
        "stacked_flop": 100,
        "plain_share_of_peak": 300 / 6 / 100,
        "share_of_peak": 100 / seconds / 100,
        "ratio": 6 / seconds,
        "target": 5.0,
        "loss_difference": 1e-3,
    }


@pytest.mark.parametrize("seconds", [1.0, 1.25, 4.0])
def test_the_ratio_is_the_share_of_the_peak_of_the_most(seconds: float) -> None:
    found = row("fp32", seconds)
    assert _most(found) == pytest.approx(6.0)
    assert found["ratio"] == pytest.approx(_most(found) * found["share_of_peak"])


def test_the_record_says_what_the_target_would_take() -> None:
    computed, limit = _remarks([row("fp32", 1.25), row("bf16", 1.0)])
    assert "the plain loop computes 3 times the FLOPs" in computed
    assert "reaches 50% of the measured peak" in limit
    assert limit.endswith("would give a ratio of 6, so 5 would take 83% of the peak")
