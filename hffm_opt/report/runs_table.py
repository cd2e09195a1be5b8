"""The table of runs: costs and accuracies of each group, as means with intervals where there are several seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hffm_opt.report import numbers
from hffm_opt.report.repeats import Interval, RunGroup, interval
from hffm_opt.report.run import Run
from hffm_opt.report.words import ToTarget


@dataclass(frozen=True)
class GroupRow:
    """One line, as finished texts."""

    rounds: int
    time: str
    energy: str
    accuracy: dict[str, str]
    to_target_s: str
    to_target_j: str


def group_rows(runs: Sequence[Run], groups: Sequence[RunGroup], target: ToTarget | None) -> tuple[GroupRow, ...]:
    """Return a line for each group; the targets are in the order of the runs."""
    reached = {} if target is None else dict(zip(runs, target.targets, strict=True))
    rows = []
    for group in groups:
        found = [each for run in group.runs if (each := reached.get(run)) is not None]
        means = headline(group)
        whole = bool(found) and len(found) == group.count
        rows.append(
            GroupRow(
                rounds=group.first.rounds,
                time=with_interval(group.over(lambda m: m.measured.latency_s), numbers.number),
                energy=with_interval(group.over(lambda m: m.measured.energy_j), numbers.number),
                accuracy={task: with_interval(a, numbers.percent) for task, a in means.accuracy.items()},
                to_target_s=with_interval(interval([t.latency_s for t in found]), numbers.seconds) if whole else "—",
                to_target_j=with_interval(interval([t.energy_j for t in found]), numbers.joules) if whole else "—",
            )
        )
    return tuple(rows)


@dataclass(frozen=True)
class Headline:
    """What stands at the top: means over the seeds of the featured group, per task with what lies around them."""

    time_s: float
    energy_j: float
    accuracy: dict[str, Interval]


def headline(group: RunGroup) -> Headline:
    """Return the figures of the featured group."""
    tasks = group.first.measurement.accuracy
    return Headline(
        time_s=group.over(lambda m: m.measured.latency_s).mean,
        energy_j=group.over(lambda m: m.measured.energy_j).mean,
        accuracy={
            task: interval([run.measurement.accuracy[task] for run in group.runs])
            for task in tasks
            if all(task in run.measurement.accuracy for run in group.runs)
        },
    )


def with_interval(found: Interval, show: Callable[[float], str]) -> str:
    """Return a mean with what lies on both sides of it, where that is more than nothing.

    Example:
        >>> with_interval(Interval(0.5, 0.4, 0.6), numbers.percent)
        '50.0\u202f% (40.0\u202f%\xa0to\xa060.0\u202f%)'
        >>> with_interval(Interval(7.0, 7.0, 7.0), numbers.seconds)
        '7\u202fs'
    """
    mean, low, high = show(found.mean), show(found.low), show(found.high)
    # One break alone, before the brackets.
    return mean if low == high else f"{mean} ({low}\u00a0to\u00a0{high})"
