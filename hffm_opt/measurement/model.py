"""The measurement: what a run achieved and cost, beside what was predicted for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

from hffm_opt.scenario.model import Frozen
from hffm_opt.trace.model import AccuracyRecord, Phase, Share, TierName


class Costs(Frozen):
    """Totals of a run: simulated seconds, joules, and bits as charged."""

    latency_s: float
    energy_j: float
    bits: float


class CurvePoint(Frozen):
    """Accuracies in one phase of one round, and what the run had cost by then; ``mean`` is over the tasks."""

    round: int
    phase: Phase
    tier: TierName
    clock_s: float
    energy_j: float
    accuracy: dict[str, Share]

    @property
    def mean(self) -> float:
        """Mean accuracy over the tasks."""
        return sum(self.accuracy.values()) / len(self.accuracy)


PointT = TypeVar("PointT", CurvePoint, AccuracyRecord)


def after_averages(points: Sequence[PointT]) -> Sequence[PointT]:
    """Return the points right after an average, by which a run is judged; all of them where there are none."""
    return [point for point in points if point.phase == "after-average"] or points


class Target(Frozen):
    """What it took to reach an accuracy."""

    accuracy: Share
    round: int
    latency_s: float
    energy_j: float


class Replan(Frozen):
    """A change of plan: what it was expected to save, and what it saved in the rounds for which it was in force.

    ``saved_s`` and ``saved_j`` are what the plan before would have cost more for the same training in the network as it
    was (null: it would never have taught as much), see :mod:`hffm_opt.measurement.savings`; with a target, ``rounds``
    are those until it was reached. ``realised_saving`` is both, and the drift, in the goal's unit. ``cost`` of telling
    the devices is in none of them.
    """

    round: int
    cause: str
    rounds: int
    predicted_saving: float | None
    cost: float
    saved_s: float | None
    saved_j: float | None
    realised_saving: float | None


class Measurement(Frozen):
    """What a run achieved and cost.

    ``accuracy`` per task is that of ``headline``: right after the last of the deepest averages that were evaluated.
    ``before`` is the point just before that average, if it was evaluated. ``difference`` is
    ``(measured - predicted) / predicted``. ``serialised_bits`` are the bits that really moved, where ``bits`` are
    those the cost model charges. ``explained`` is what the referee counts under the conditions that really were, where
    these are not the scenario's own: the ledger's totals up to rounding. ``replans`` are a closed loop's changes of
    plan.
    """

    format: Literal["hffm-measurement/1"] = "hffm-measurement/1"
    scenario: str
    fingerprint: str
    method: str
    seed: int
    rounds: int
    complete: bool
    accuracy: dict[str, Share]
    baseline: dict[str, Share]
    headline: CurvePoint | None
    before: CurvePoint | None
    predicted: Costs
    measured: Costs
    difference: Costs
    serialised_bits: float
    curve: tuple[CurvePoint, ...]
    explained: Costs | None = None
    replans: tuple[Replan, ...] = ()

    def to_target(self, accuracy: float) -> Target | None:
        """Return what it took until the mean accuracy over tasks, after an average, first reached a target.

        In a run that never averages every point counts. None where it never did. Accuracies are known only where the
        run was evaluated.
        """
        for point in after_averages(self.curve):
            if point.mean >= accuracy:
                return Target(accuracy=accuracy, round=point.round, latency_s=point.clock_s, energy_j=point.energy_j)
        return None
