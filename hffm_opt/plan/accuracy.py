"""What a learning curve says of a plan: the rounds to a target accuracy at its learning penalty, or why never.

Source: docs/accuracy-objectives.md.
"""

from __future__ import annotations

import math

from hffm_opt.errors import Finding
from hffm_opt.scenario.learning_curve import LearningCurve

BISECTIONS = 60


def rounds_needed(curve: LearningCurve, target: float, drift: float) -> float:
    """Return N(Phi), the rounds until the curve reaches a target at a learning penalty; infinite where it never does.

    Example:
        >>> curve = LearningCurve(final=0.5, final_loss=0.1, scale_rounds=20, shape=1, slowdown=0, half_drift=100)
        >>> round(rounds_needed(curve, 0.45, 0.0), 2), rounds_needed(curve, 0.45, 1e4)
        (46.05, inf)
    """
    return float(curve.rounds_to(target, drift))


def highest_accuracy(curve: LearningCurve, drift: float) -> float:
    """Return the least accuracy that the curve does not reach at a learning penalty, 0 where it reaches none.

    Example:
        >>> curve = LearningCurve(final=0.5, final_loss=0.1, scale_rounds=20, shape=1, slowdown=0, half_drift=100)
        >>> round(highest_accuracy(curve, 100.0), 6)
        0.45
    """
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if math.isfinite(rounds_needed(curve, middle, drift)) else (low, middle)
    return high


def target_out_of_reach(curve: LearningCurve, target: float, drift: float) -> Finding | None:
    """Return why a target is never reached at a learning penalty; None where it is."""
    if math.isfinite(rounds_needed(curve, target, drift)):
        return None
    return Finding(
        "--target",
        f"the learning curve stays below the target at this drift: Phi = {drift:.6g} leads to "
        f"{highest_accuracy(curve, drift):.4g} at most, and {target:g} is asked for",
        "average modules more often, or aim lower",
    )
