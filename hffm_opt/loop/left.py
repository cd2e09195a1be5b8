"""What is left of a run in the unit of its goal: a budget of rounds, or the rounds that a learning curve still asks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hffm_opt.measurement.surrogate import FittedCurve, default_curve
from hffm_opt.problem.model import Problem
from hffm_opt.trace.course import SoFar
from hffm_opt.trace.model import Goal


@dataclass(frozen=True)
class WhatIsLeft:
    """How many rounds are left under any drift, and how they are weighed.

    ``budget`` rounds are left of the run; with a target ``curve`` says how many the accuracy still asks for, from the
    ``progress`` made so far, and the fewer of both count.
    """

    goal: Goal
    budget: int
    curve: FittedCurve | None = None
    progress: float = 0.0

    @classmethod
    def of(cls, goal: Goal, so_far: SoFar, problem: Problem, budget: int) -> WhatIsLeft:
        """Return what is left after a round; the learning curve is fitted to the run's accuracies so far."""
        raise NotImplementedError

    def rounds(self, drift: float) -> float:
        """Return the rounds of full participation that are left at a drift."""
        raise NotImplementedError

    def weigh(self, seconds: float, joules: float) -> float:
        """Return seconds and joules in the goal's unit."""
        return self.goal.weights[0] * seconds + self.goal.weights[1] * joules

    def total(self, latency_s: float, energy_j: float, drift: float, participation: float) -> float:
        """Return what is left under a plan with these figures per round."""
        per_round = self.weigh(latency_s, energy_j) + self.goal.weights[2] * drift
        return self.rounds(drift) / participation * per_round if math.isfinite(per_round) else math.inf
