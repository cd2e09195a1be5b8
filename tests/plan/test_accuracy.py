"""What a learning curve says of a plan's drift."""

import math

import pytest

from hffm_opt.plan.accuracy import highest_accuracy, rounds_needed, target_out_of_reach
from hffm_opt.scenario.default_curve import DEFAULT
from hffm_opt.scenario.learning_curve import LearningCurve

CURVE = LearningCurve(final=0.5, final_loss=0.2, scale_rounds=10, shape=1, slowdown=1.0, half_drift=100)


def test_rounds_invert_the_curve_and_never_fall_with_drift():
    found = [rounds_needed(CURVE, 0.35, drift) for drift in (0.0, 10.0, 100.0, 200.0, 400.0)]
    assert found == sorted(found) and found[-1] == math.inf
    for rounds, drift in zip(found, (0.0, 10.0, 100.0), strict=False):
        assert CURVE.accuracy(rounds, drift) == pytest.approx(0.35)


@pytest.mark.parametrize("drift", [0.0, 100.0, 1e9])
def test_the_highest_accuracy_is_the_limit_of_the_curve(drift):
    most = highest_accuracy(CURVE, drift)
    assert most == pytest.approx(float(CURVE.accuracy(1e9, drift)), rel=1e-9)
    assert target_out_of_reach(CURVE, most - 1e-9, drift) is None
    finding = target_out_of_reach(CURVE, most + 1e-9, drift)
    assert finding is not None and "stays below the target at this drift" in finding.message


def test_the_default_curve_reaches_the_published_targets():
    for target in (0.3, 0.35):
        assert 0 < rounds_needed(DEFAULT, target, 0.0) < rounds_needed(DEFAULT, target, 50.0) < math.inf
