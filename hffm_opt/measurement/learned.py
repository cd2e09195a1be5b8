"""What a run has taught: its accuracies as points, and the learning curve refitted to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from hffm_opt.measurement.model import after_averages
from hffm_opt.measurement.run_points import RunPoints
from hffm_opt.measurement.surrogate import FittedCurve, published_prior, refit
from hffm_opt.plan.accuracy import curve_of
from hffm_opt.plan.circulation import drift
from hffm_opt.plan.model import Plan
from hffm_opt.plan.schedule import in_force
from hffm_opt.problem.model import Problem
from hffm_opt.trace.model import AccuracyRecord, RoundRecord


def learned(problem: Problem, points: RunPoints) -> FittedCurve:
    """Return the learning curve of a run: the scenario's own or the published one, refitted to its points."""
    return refit(published_prior().model_copy(update={"curve": curve_of(problem)}), points)


def points_of(
    problem: Problem,
    plans: Sequence[tuple[int, Plan]],
    rounds: Sequence[RoundRecord],
    accuracy: Sequence[AccuracyRecord],
) -> RunPoints:
    """Return a run's accuracies right after averages, with the drift in force and the share that trained by round.

    Args:
        problem: the network as it is known, whose divergences give Phi its scale.
        plans: the first round of each plan, and the plan, in order.
        rounds, accuracy: the run's records.
    """
    phi = [(start, drift(problem, plan.circulation)) for start, plan in plans]
    means = mean_accuracies(accuracy)
    return RunPoints(
        rounds=tuple(means),
        accuracy=tuple(means.values()),
        drift=tuple(in_force(phi, each.round) for each in rounds),
        share=tuple(each.participation for each in rounds),
    )


def mean_accuracies(records: Sequence[AccuracyRecord]) -> dict[int, float]:
    """Return the mean over tasks right after the averages of each round; of all rounds, where there is no average."""
    found: defaultdict[int, list[float]] = defaultdict(list)
    for each in after_averages(records):
        found[each.round].append(each.accuracy)
    return {number: sum(values) / len(values) for number, values in sorted(found.items())}
