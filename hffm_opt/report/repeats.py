"""Runs that differ in the seed alone: what they have in common, as a mean with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from hffm_opt.measurement.model import Costs, CurvePoint, Measurement
from hffm_opt.measurement.spread import half_width
from hffm_opt.report.run import Run
from hffm_opt.trace.model import Phase, TierName

_LEAST_FOR_T = 3  # of two, the t interval is some thirteen standard errors wide


@dataclass(frozen=True)
class Interval:
    """A mean over runs and the interval around it (of one run: nothing but its value)."""

    mean: float
    low: float
    high: float


def interval(values: Sequence[float]) -> Interval:
    """Return mean and interval: Student's at 95 % for the mean of three or more, least and largest of two.

    Example:
        >>> round(interval([1.0, 2.0, 3.0]).high, 6)
        4.484138
        >>> interval([1.0, 2.0])
        Interval(mean=1.5, low=1.0, high=2.0)
    """
    mean = fmean(values)
    if len(values) < _LEAST_FOR_T:
        return Interval(mean, min(values), max(values))
    half = half_width(values)
    return Interval(mean, mean - half, mean + half)


def interval_words(counts: Sequence[int]) -> str:
    """Return what the intervals are, given the numbers of runs in the groups; nothing where all are alone."""
    parts = []
    if any(count >= _LEAST_FOR_T for count in counts):
        parts.append("the 95\u202f% interval of the mean over seeds, after Student's t")
    if 2 in counts:
        parts.append("least and largest where there are two seeds")
    return "; ".join(parts)


@dataclass(frozen=True)
class MeanPoint:
    """A point of a curve over runs: mean cost, and the accuracy on each task with its interval."""

    round: int
    phase: Phase
    tier: TierName
    clock_s: float
    energy_j: float
    accuracy: dict[str, Interval]


@dataclass(frozen=True, eq=False)
class RunGroup:
    """Runs of one method on one scenario with different seeds, the one that is shown in full first."""

    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        """The run that stands for the group where only one can be shown."""
        return self.runs[0]

    @property
    def count(self) -> int:
        """Number of runs."""
        return len(self.runs)

    def over(self, value: Callable[[Measurement], float]) -> Interval:
        """Return a figure of the measurements with its interval."""
        return interval([value(run.measurement) for run in self.runs])

    @cached_property
    def curve(self) -> tuple[MeanPoint, ...]:
        """The points that all runs have; those of a phase go on where the phase before it ended."""
        by_place = [{(p.round, p.phase): p for p in map(_from(run.began), run.measurement.curve)} for run in self.runs]
        shared = [[points[place] for points in by_place] for place in by_place[0] if all(place in p for p in by_place)]
        return tuple(map(_mean_point, shared))


def _from(began: Costs | None) -> Callable[[CurvePoint], CurvePoint]:
    if began is None:
        return lambda point: point
    return lambda point: point.model_copy(
        update={"clock_s": began.latency_s + point.clock_s, "energy_j": began.energy_j + point.energy_j}
    )


def _mean_point(points: Sequence[CurvePoint]) -> MeanPoint:
    first = points[0]
    return MeanPoint(
        round=first.round,
        phase=first.phase,
        tier=first.tier,
        clock_s=fmean(point.clock_s for point in points),
        energy_j=fmean(point.energy_j for point in points),
        accuracy={
            task: interval([point.accuracy[task] for point in points])
            for task in first.accuracy
            if all(task in point.accuracy for point in points)
        },
    )


def run_groups(runs: Sequence[Run]) -> tuple[RunGroup, ...]:
    """Return the runs by method, scenario and length, in the order given; a seed occurs once in a group."""
    found: list[tuple[object, list[Run]]] = []
    for run in runs:
        header = run.trace.header
        key = (header.fingerprint, header.method, header.backbone, header.algorithm, run.rounds)
        for known, members in found:
            if known == key and header.seed not in {other.trace.header.seed for other in members}:
                members.append(run)
                break
        else:
            found.append((key, [run]))
    return tuple(RunGroup(tuple(members)) for _, members in found)
