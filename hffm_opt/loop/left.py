"""What is left of a run in the unit of its goal: a budget of rounds, or the rounds that its accuracy still asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from hffm_opt.measurement.learned import learned, points_of
from hffm_opt.plan.model import Plan
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.learning_curve import Floats, LearningCurve
from hffm_opt.trace.course import SoFar
from hffm_opt.trace.model import Goal, plans_of


class CurveFromHere(LearningCurve):
    """A learning curve whose rounds count from the progress ``done``; none are left once a target was ``reached``."""

    done: float
    reached: bool = False

    def rounds_to(self, target: float, drift: ArrayLike) -> Floats:
        """Return the rounds that are left to an accuracy, none where it is reached; nondecreasing in the drift."""
        return self.rounds_between(self.done, self.done if self.reached else self.progress_to(target), drift)


@dataclass(frozen=True)
class WhatIsLeft:
    """How many rounds are left under any drift, and how they are weighed.

    ``budget`` rounds are left of the run. With a target, ``curve`` says how many its accuracy still asks for; a target
    that the curve never reaches leaves the budget.
    """

    goal: Goal
    budget: int
    curve: CurveFromHere | None = None

    @classmethod
    def of(cls, goal: Goal, so_far: SoFar, problem: Problem, first: Plan, budget: int) -> WhatIsLeft:
        """Return what is left after a round; the learning curve is refitted to the accuracies so far.

        Args:
            goal: what is minimised.
            so_far: the run.
            problem: the network as it is known, whose divergences give Phi its scale.
            first: the plan that the run began with.
            budget: the rounds that are left of the run.
        """
        if goal.target is None:
            return cls(goal, budget)
        points = points_of(problem, plans_of(first, so_far.revisions), so_far.rounds, so_far.accuracy)
        fitted = learned(problem, points)
        done = float(points.progress(fitted.curve)[-1])
        reached = bool(points.accuracy) and max(points.accuracy) >= goal.target
        curve = CurveFromHere(**fitted.curve.model_dump(), done=done, reached=reached)
        if not reached and not math.isfinite(float(curve.rounds_to(goal.target, 0.0))):
            return cls(goal, budget)
        return cls(goal, budget, curve)

    def rounds(self, drift: float) -> float:
        """Return the rounds of full participation that are left at a drift."""
        if self.curve is None or self.goal.target is None:
            return float(self.budget)
        return float(self.curve.rounds_to(self.goal.target, drift))

    def weigh(self, seconds: float, joules: float) -> float:
        """Return seconds and joules in the goal's unit."""
        return self.goal.weights[0] * seconds + self.goal.weights[1] * joules

    def total(self, latency_s: float, energy_j: float, drift: float) -> float:
        """Return what is left under a plan with these figures per round of full participation."""
        per_round = self.weigh(latency_s, energy_j) + self.goal.weights[2] * drift
        return self.rounds(drift) * per_round if math.isfinite(per_round) else math.inf

    def share(self, drift: float, participation: float) -> float:
        """Return the share of the way to the target that the run's rounds still go under a plan; 1 without a target."""
        asked = self.rounds(drift)
        return min(1.0, self.budget * participation / asked) if self.curve is not None and asked > 0 else 1.0
