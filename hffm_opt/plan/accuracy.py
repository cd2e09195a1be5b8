"""What a learning curve says of a plan: the rounds to a target accuracy at its learning penalty, or why never.

Source: docs/accuracy-objectives.md.
"""

from __future__ import annotations

import math

import numpy as np

from hffm_opt.errors import Finding, InputError
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.learning_curve import PUBLISHED_CURVE, LearningCurve, published_curve

BISECTIONS = 60


def unit_drift_of(problem: Problem) -> float:
    """Return phi_1 as a scenario's divergences have it: what Phi adds for cells one round apart.

    Raises:
        InputError: the copies of different cells do not differ at all.
    """
    unit = _unit(problem)
    if unit <= 0:
        message = "the copies of different cells are said not to differ, so Phi has no scale"
        raise InputError.one("model.modules[].divergence_between", message, "give the measured divergence")
    return unit


def default_curve(problem: Problem) -> LearningCurve:
    """Return the learning curve that is assumed where none is given: the published one, in the scenario's unit of Phi.

    Where copies of different cells never differ there is no such unit, and the curve stays as published.

    Example:
        >>> from hffm_opt.problem.build import build_problem
        >>> from hffm_opt.scenario.read import load_scenario
        >>> default_curve(build_problem(load_scenario("paper"))) == PUBLISHED_CURVE
        True
    """
    unit = _unit(problem)
    return published_curve(unit) if unit > 0 else PUBLISHED_CURVE


def curve_of(problem: Problem) -> LearningCurve:
    """Return the learning curve that a scenario's plans go by: its own (``planning.curve``), or the default."""
    return problem.scenario.planning.curve or default_curve(problem)


def _unit(problem: Problem) -> float:
    return float(np.square(problem.divergence_between).sum())


def rounds_needed(curve: LearningCurve, target: float, drift: float) -> float:
    """Return N(Phi), the rounds until the curve reaches a target at a learning penalty; infinite where it never does.

    Example:
        >>> curve = LearningCurve(final=0.5, scale_rounds=20, shape=1, half_rounds=20, unit_drift=1)
        >>> round(rounds_needed(curve, 0.45, 0.0), 2), rounds_needed(curve, 0.5, 0.0)
        (46.05, inf)
    """
    return float(curve.rounds_to(target, drift))


def highest_accuracy(curve: LearningCurve, drift: float) -> float:
    """Return the least accuracy that the curve does not reach at a learning penalty, 0 where it reaches none.

    Example:
        >>> curve = LearningCurve(final=0.5, scale_rounds=20, shape=1, half_rounds=20, unit_drift=1)
        >>> round(highest_accuracy(curve, 100.0), 6), round(highest_accuracy(curve, math.inf), 6)
        (0.5, 0.31606)
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
