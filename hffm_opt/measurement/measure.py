"""From a trace to its measurement."""

from __future__ import annotations

from hffm_opt.errors import InputError
from hffm_opt.measurement.model import Costs, CurvePoint, Measurement, after_averages
from hffm_opt.measurement.replans import promised, replayed
from hffm_opt.measurement.savings import replans_of
from hffm_opt.plan.model import Plan
from hffm_opt.plan.schedule import RunCost
from hffm_opt.problem.model import Problem
from hffm_opt.trace.ledger import Ledger
from hffm_opt.trace.model import AccuracyRecord, Trace


def measure(problem: Problem, plan: Plan, trace: Trace) -> Measurement:
    """Hold a run against the referee's prediction for as many rounds.

    Args:
        problem: the problem.
        plan: the plan that was run; where it changed during the run, the one that the run began with.
        trace: what the run left.

    Raises:
        InputError: the trace is of another scenario or plan, or has no complete round.
    """
    header = trace.header
    if header.fingerprint != problem.fingerprint or header.method != plan.method:
        raise InputError.one(
            "trace.header",
            f"the trace is of '{header.method}' on '{header.scenario}' ({header.fingerprint[:12]}), not of "
            f"'{plan.method}' on '{problem.scenario.name}' ({problem.fingerprint[:12]})",
            "give the scenario and the plan that were run",
        )
    if not trace.rounds:
        raise InputError.one("trace.rounds", "the run has no complete round", "run at least one round")
    predicted = _costs(promised(problem, plan, trace))
    measured = ledger_costs(trace.ledger)
    curve = accuracy_curve(trace.accuracy)
    headline = _headline(curve, {record.round: record.kind for record in trace.rounds})
    return Measurement(
        scenario=header.scenario,
        fingerprint=header.fingerprint,
        method=header.method,
        seed=header.seed,
        rounds=len(trace.rounds),
        complete=trace.complete,
        accuracy=headline.accuracy if headline else {},
        baseline=header.baseline,
        headline=headline,
        before=_before(curve, headline),
        predicted=predicted,
        measured=measured,
        difference=Costs(
            latency_s=_relative(measured.latency_s, predicted.latency_s),
            energy_j=_relative(measured.energy_j, predicted.energy_j),
            bits=_relative(measured.bits, predicted.bits),
        ),
        serialised_bits=trace.ledger.total("serialised_bits"),
        curve=curve,
        explained=_explained(problem, plan, trace),
        replans=replans_of(problem, plan, trace),
    )


def _explained(problem: Problem, plan: Plan, trace: Trace) -> Costs | None:
    return None if problem.scenario.changes is None else _costs(replayed(problem, plan, trace))


def _costs(cost: RunCost) -> Costs:
    return Costs(latency_s=cost.latency_s, energy_j=cost.energy_j, bits=cost.bits)


def ledger_costs(ledger: Ledger) -> Costs:
    """Return the totals of a ledger: the end of its last entry, and the sums of its joules and charged bits."""
    ends = ledger.array("start_s") + ledger.array("seconds")
    return Costs(
        latency_s=float(ends.max(initial=0.0)),
        energy_j=ledger.total("joules"),
        bits=ledger.total("charged_bits"),
    )


def accuracy_curve(records: tuple[AccuracyRecord, ...]) -> tuple[CurvePoint, ...]:
    """Return the accuracies of all tasks in each phase of each round, in the order of the run."""
    groups: dict[tuple[int, bool], list[AccuracyRecord]] = {}
    for record in records:
        groups.setdefault((record.round, record.phase == "after-average"), []).append(record)
    return tuple(
        CurvePoint(
            round=group[0].round,
            phase=group[0].phase,
            tier=group[0].tier,
            clock_s=group[0].clock_s,
            energy_j=group[0].energy_j,
            accuracy={record.task: record.accuracy for record in group},
        )
        for _, group in sorted(groups.items())
    )


def _headline(curve: tuple[CurvePoint, ...], kinds: dict[int, int]) -> CurvePoint | None:
    """Return the last point after an average in the rarest kind of round; without averages, the last point of all.

    Periods are nested, so the rarest rounds average the most modules, and each as deeply as it ever is.
    """
    return max(after_averages(curve), key=lambda point: (kinds[point.round], point.round), default=None)


def _before(curve: tuple[CurvePoint, ...], headline: CurvePoint | None) -> CurvePoint | None:
    if headline is None or headline.phase == "before-average":
        return None
    pairs = (point for point in curve if point.round == headline.round and point.phase == "before-average")
    return next(pairs, None)


def _relative(measured: float, predicted: float) -> float:
    return 0.0 if measured == predicted else (measured - predicted) / max(abs(predicted), 1e-300)
