r"""What changes of plan saved: what the plan before would have cost for the same training, less what the new one did.

Both are charged what the referee counts in the network as it really was, in the rounds for which the new plan was in
force. A round in which a share of the samples trains counts as that share. Without a target as much training is as many
rounds, with one it is the same progress on the run's own learning curve: where the new plan went from ``t_0`` to
``t_1``, the one before would have needed

    N(t_1, Phi_old) - N(t_0, Phi_old)

rounds of full participation, without end where it never gets so far. Rounds after the target was reached save nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from hffm_opt.measurement.learned import learned, mean_accuracies, points_of
from hffm_opt.measurement.model import Replan
from hffm_opt.measurement.observe import measured_divergence
from hffm_opt.measurement.replans import TrueNetwork, effective_cost, under_conditions
from hffm_opt.plan.circulation import drift
from hffm_opt.plan.model import Plan
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.conditions import Conditions
from hffm_opt.scenario.learning_curve import Floats, LearningCurve
from hffm_opt.trace.model import Goal, Trace


@dataclass(frozen=True, eq=False)
class _Course:
    """How a run came towards its target: curve, progress after each round (0 first), and where the target was met."""

    known: Problem
    curve: LearningCurve
    progress: Floats
    reached: int | None

    @classmethod
    def of(cls, problem: Problem, first: Plan, trace: Trace, target: float) -> _Course:
        divergence = measured_divergence(problem.scenario, trace.rounds)
        known = under_conditions(problem, Conditions(divergence=divergence))
        points = points_of(known, trace.plans(first), trace.rounds, trace.accuracy)
        curve = learned(known, points).curve
        means = mean_accuracies(trace.accuracy)
        reached = next((number for number, value in means.items() if value >= target), None)
        return cls(known, curve, points.progress(curve), reached)

    def rounds_under(self, plan: Plan, start: int, end: int) -> float:
        """Return the rounds of full participation in which a plan makes the progress of some rounds of the run."""
        passed = self.curve.rounds_of(self.progress[[start - 1, end]], drift(self.known, plan.circulation))
        return float(passed[1] - passed[0]) if math.isfinite(passed[1]) else math.inf


def replans_of(problem: Problem, first: Plan, trace: Trace) -> tuple[Replan, ...]:
    """Return the changes of plan that looks led to, with what they saved.

    Args:
        problem: the network as the scenario gives it.
        first: the plan that the run began with.
        trace: the run.
    """
    goal = trace.header.goal
    return () if goal is None else tuple(_replans(problem, first, trace, goal))


def _replans(problem: Problem, first: Plan, trace: Trace, goal: Goal) -> Iterator[Replan]:
    looks = {look.round: look for look in trace.looks if look.adopted}
    plans = trace.plans(first)
    ends = [*(start - 1 for start, _ in plans[2:]), len(trace.rounds)]
    course = None
    if goal.target is not None and trace.revisions:
        course = _Course.of(problem, first, trace, goal.target)
    for (_, old), (start, new), last in zip(plans, plans[1:], ends, strict=False):
        end = last if course is None or course.reached is None else min(last, course.reached)
        rounds, network = range(start, end + 1), TrueNetwork(problem)
        taught = sum(trace.rounds[number - 1].participation for number in rounds)
        needed = taught if course is None or not rounds else course.rounds_under(old, start, end)
        costs = zip(effective_cost(network.at, old, rounds), effective_cost(network.at, new, rounds), strict=True)
        seconds, joules = (_saved(before, needed, after, taught) for before, after in costs)
        value = None
        if seconds is not None and joules is not None:
            apart = goal.weights[2] * taught * (drift(problem, old.circulation) - drift(problem, new.circulation))
            value = goal.weights[0] * seconds + goal.weights[1] * joules + (apart if course is None else 0.0)
        look = looks[start]
        yield Replan(
            round=start,
            cause=look.cause,
            rounds=len(rounds),
            predicted_saving=look.saving,
            cost=look.cost,
            saved_s=seconds,
            saved_j=joules,
            realised_saving=value,
        )


def _saved(before: float, needed: float, after: float, taught: float) -> float | None:
    """Return what is saved by rounds at one cost each against others at another; None where that is without end.

    >>> _saved(2.0, 3.0, 1.0, 4.0), _saved(float("inf"), 3.0, 1.0, 4.0), _saved(2.0, 0.0, float("inf"), 0.0)
    (2.0, None, 0.0)
    """
    spent = taught * after if taught > 0 else 0.0
    would = needed * before if needed > 0 else 0.0
    return would - spent if math.isfinite(would) and math.isfinite(spent) else None
