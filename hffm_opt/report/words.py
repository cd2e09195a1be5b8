"""The certificate and the headline in plain words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from hffm_opt.measurement.model import Measurement, Target
from hffm_opt.plan.outcome import Outcome
from hffm_opt.report.compared import ComparedMethods, strongest_other
from hffm_opt.report.numbers import change, gap, joules, number, percent, seconds
from hffm_opt.report.proof import BOUNDED, VERDICTS
from hffm_opt.report.repeats import RunGroup

_TIERS = {
    "local": "training alone",
    "d2d": "the heads' average",
    "edge": "the edges' average",
    "cloud": "the cloud's average",
}


def objective_words(outcome: Outcome) -> str:
    """Return what an outcome's objective is, with its weights."""
    if outcome.target is not None:
        unit = "seconds" if outcome.objective_name == "time-to-accuracy" else "joules"
        return f"the {unit} of all rounds to an accuracy of {number(outcome.target)}"
    if outcome.objective_name != "weighted":
        return f"the {outcome.objective_name} per round"
    parts = ("s of latency", "J of energy", "unit of drift")
    terms = [f"{number(weight)} per {part}" for weight, part in zip(outcome.weights, parts, strict=True) if weight]
    return f"a weighted sum per round: {', '.join(terms)}"


def certificate(outcome: Outcome) -> tuple[str, str]:
    """Return what is proven about a plan: a verdict of a few words, and the sentences that explain it."""
    what = objective_words(outcome)
    if outcome.objective is None:
        return "Breaks a limit", f"The objective is {what}, but a plan that breaks a limit has none."
    costs = f"This plan costs {number(outcome.objective, 6)} ({what})."
    if outcome.bound is None:
        return "Feasible, nothing proven", f"{costs} The method proves no bound, so a better plan may exist."
    proof = (
        f"{costs} It is proven that no plan with the same decisions held fixed can cost less than "
        f"{number(outcome.bound, 6)}, so at most {gap(outcome.gap)} is left to gain."
    )
    return VERDICTS.get(outcome.status, BOUNDED), proof


@dataclass(frozen=True)
class Saving:
    """How the first run compares with something else: the sentence's parts, and where the figures come from."""

    latency: str
    energy: str
    reference: str
    absolute: str
    basis: str


def saving(groups: Sequence[RunGroup], comparison: ComparedMethods | None) -> Saving | None:
    """Return what the first group of runs saves per round, on average, against the strongest alternative at hand.

    Other runs of the same scenario come first, since they were measured: of those whose plans keep every limit (if
    there are any) the ones with the least product of latency and energy. Then the best feasible method of the
    comparison. None where there is neither.
    """
    subject = groups[0].first
    others = [g for g in groups[1:] if g.first.measurement.fingerprint == subject.measurement.fingerprint]
    if others:
        best = min(
            others, key=lambda g: (not g.first.outcome.feasible, _per_round(g)[0] * _per_round(g)[1], g.first.name)
        )
        (latency, energy), found = _per_round(groups[0]), _per_round(best)
        reference, basis = best.first.measurement.method, f"Both measured{_accuracies(groups[0], best)}."
        if not best.first.outcome.feasible:
            basis += " Its plan breaks a limit of the scenario."
    else:
        row = None if comparison is None else strongest_other(comparison, subject.measurement.method)
        if row is None or row.latency_s is None or row.energy_j is None:
            return None
        latency, energy, found = (
            subject.evaluation.latency_s,
            subject.evaluation.energy_j,
            (row.latency_s, row.energy_j),
        )
        reference = row.method
        basis = "Both as the referee counts a round of a whole cycle; the best other method that keeps every limit."
    absolute = (
        f"{_less(seconds, found[0] - latency, subject.rounds)} and {_less(joules, found[1] - energy, subject.rounds)} "
        f"over {subject.rounds} rounds"
    )
    return Saving(change(latency, found[0]), change(energy, found[1]), reference, absolute, basis)


def _less(show: Callable[[float], str], per_round: float, rounds: int) -> str:
    return f"{show(abs(per_round) * rounds)} {'less' if per_round >= 0 else 'more'}"


def _accuracies(subject: RunGroup, other: RunGroup) -> str:
    """Return the mean accuracies at the headline points, where all have one."""
    means = [
        [point.mean for run in group.runs if (point := run.measurement.headline) is not None]
        for group in (subject, other)
    ]
    if any(len(found) < group.count for found, group in zip(means, (subject, other), strict=True)):
        return ""
    return f", at a mean accuracy of {percent(fmean(means[0]))} against {percent(fmean(means[1]))}"


def _per_round(group: RunGroup) -> tuple[float, float]:
    return (
        group.over(lambda m: m.measured.latency_s / m.rounds).mean,
        group.over(lambda m: m.measured.energy_j / m.rounds).mean,
    )


def phase_words(measurement: Measurement) -> str:
    """Return when the headline accuracies were read."""
    point = measurement.headline
    if point is None:
        return "no accuracy was evaluated"
    if point.phase == "before-average":
        return f"read after the training of round {point.round}, without an average"
    return f"read right after {_TIERS[point.tier]} of round {point.round}"


@dataclass(frozen=True)
class ToTarget:
    """What every run took to reach one mean accuracy, in the order of the runs; None where it never did."""

    accuracy: float
    targets: tuple[Target | None, ...]


def to_common_target(measurements: Sequence[Measurement]) -> ToTarget | None:
    """Return what each run took to reach the highest mean accuracy that all runs reach right after an average.

    None where a run was never evaluated after an average.
    """
    best = [max((p.mean for p in m.curve if p.phase == "after-average"), default=None) for m in measurements]
    reached = [value for value in best if value is not None]
    if len(reached) < len(best):
        return None
    target = min(reached)
    return ToTarget(target, tuple(m.to_target(target) for m in measurements))
