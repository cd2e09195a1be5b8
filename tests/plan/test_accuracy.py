"""What a learning curve says of a plan's drift."""

import math
from dataclasses import replace

import numpy as np
import pytest

from hffm_opt.errors import InputError
from hffm_opt.plan.accuracy import default_curve, highest_accuracy, rounds_needed, target_out_of_reach, unit_drift_of
from hffm_opt.problem import build_problem
from hffm_opt.scenario.learning_curve import PUBLISHED_CURVE, LearningCurve
from hffm_opt.scenario.read import load_scenario

CURVE = LearningCurve(final=0.5, scale_rounds=10, shape=1, half_rounds=5, unit_drift=0.5)


def test_rounds_invert_the_curve_and_never_fall_with_drift():
    drifts = (0.0, 10.0, 100.0, 400.0, math.inf)
    found = [rounds_needed(CURVE, 0.35, drift) for drift in drifts]
    assert found == sorted(found) and found[-1] == math.inf
    for rounds, drift in zip(found[:-1], drifts, strict=False):
        assert CURVE.accuracy(rounds, drift) == pytest.approx(0.35)


@pytest.mark.parametrize("drift", [0.0, 100.0, math.inf])
def test_the_highest_accuracy_is_the_limit_of_the_curve(drift):
    most = highest_accuracy(CURVE, drift)
    assert most == pytest.approx(float(CURVE.accuracy(1e12, drift)), rel=1e-9)
    assert target_out_of_reach(CURVE, most - 1e-9, drift) is None
    finding = target_out_of_reach(CURVE, most + 1e-9, drift)
    assert finding is not None and "stays below the target at this drift" in finding.message


def test_the_default_curve_reaches_the_published_targets():
    for target in (0.3, 0.35):
        none, some = (rounds_needed(PUBLISHED_CURVE, target, drift) for drift in (0.0, 50.0))
        assert 0 < none < some < math.inf


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_the_default_curve_follows_the_unit_of_the_divergences(factor):
    """Divergences told in another unit change Phi and the curve alike, so that no circulation takes other rounds."""
    paper = build_problem(load_scenario("paper"))
    assert unit_drift_of(paper) == 0.75 and default_curve(paper) == PUBLISHED_CURVE
    told = replace(paper, divergence_between=factor * paper.divergence_between)
    curve = default_curve(told)
    for drift in (2.25, 47.25, 29999.25):
        assert rounds_needed(curve, 0.35, factor**2 * drift) == pytest.approx(
            rounds_needed(PUBLISHED_CURVE, 0.35, drift), rel=1e-12
        )


def test_cells_that_never_differ_leave_the_curve_as_published():
    problem = build_problem(load_scenario("tiny"))
    same = replace(problem, divergence_between=np.zeros_like(problem.divergence_between))
    assert default_curve(same) == PUBLISHED_CURVE
    with pytest.raises(InputError, match="said not to differ"):
        unit_drift_of(same)
