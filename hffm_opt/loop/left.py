"""What is left of a run in the unit of its goal: a budget of rounds, or the rounds that its accuracy still asks for."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hffm_opt.measurement.run_points import RunPoints
from hffm_opt.measurement.surrogate import FittedCurve, published_prior, refit
from hffm_opt.plan.accuracy import default_curve
from hffm_opt.plan.circulation import drift
from hffm_opt.plan.model import Plan
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.learning_curve import Floats, LearningCurve
from hffm_opt.trace.course import SoFar
from hffm_opt.trace.model import AccuracyRecord, Goal


class CurveFromHere(LearningCurve):
    """A learning curve whose rounds count from a progress that is already made."""

    done: float

    def rounds_to(self, target: float, drift: ArrayLike) -> Floats:
        """Return the rounds that are left to an accuracy, none where it is reached; nondecreasing in the drift."""
        aim = self.progress_to(target)
        if aim <= self.done:
            return self.rounds_of(0.0, drift)
        whole, passed = self.rounds_of(aim, drift), self.rounds_of(self.done, drift)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(np.isinf(whole), math.inf, whole - passed))


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
        points = points_so_far(so_far, problem, first)
        fitted = learned(problem, points)
        done = float(points.progress(fitted.curve)[-1])
        reached = bool(points.accuracy) and max(points.accuracy) >= goal.target
        curve = CurveFromHere(**fitted.curve.model_dump(), done=math.inf if reached else done)
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

    def total(self, latency_s: float, energy_j: float, drift: float, participation: float) -> float:
        """Return what is left under a plan with these figures per round."""
        per_round = self.weigh(latency_s, energy_j) + self.goal.weights[2] * drift
        return self.rounds(drift) / participation * per_round if math.isfinite(per_round) else math.inf


def learned(problem: Problem, points: RunPoints) -> FittedCurve:
    """Return the learning curve of a run: the published one, refitted to its points."""
    return refit(published_prior().model_copy(update={"curve": default_curve(problem)}), points)


def points_so_far(so_far: SoFar, problem: Problem, first: Plan) -> RunPoints:
    """Return a run's accuracies right after averages, with the drift in force and the share that trained by round."""
    plans = [(1, first), *((each.round, each.plan) for each in so_far.revisions)]
    in_force = [next(plan for start, plan in reversed(plans) if start <= each.round) for each in so_far.rounds]
    means = mean_accuracies(so_far.accuracy)
    return RunPoints(
        rounds=tuple(means),
        accuracy=tuple(means.values()),
        drift=tuple(drift(problem, plan.circulation) for plan in in_force),
        share=tuple(each.participation for each in so_far.rounds),
    )


def mean_accuracies(records: Sequence[AccuracyRecord]) -> dict[int, float]:
    """Return the mean over tasks right after the averages of each round; of all rounds, where there is no average."""
    averaged = [each for each in records if each.phase == "after-average"] or records
    found: defaultdict[int, list[float]] = defaultdict(list)
    for each in averaged:
        found[each.round].append(each.accuracy)
    return {number: sum(values) / len(values) for number, values in sorted(found.items())}
