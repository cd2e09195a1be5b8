"""A run whose plan changed because a device left, made by hand."""

from __future__ import annotations

from pathlib import Path

from report_cases import made_up_trace, outcome_of

from hffm_opt.loop import begin_run
from hffm_opt.measurement import measure
from hffm_opt.measurement.measure import accuracy_curve
from hffm_opt.measurement.model import Replan
from hffm_opt.problem import build_problem
from hffm_opt.report import Run, read_run
from hffm_opt.scenario.conditions import Conditions, under
from hffm_opt.scenario.read import load_scenario
from hffm_opt.serial import dump_json, write_text
from hffm_opt.trace import AccuracyRecord, Ledger, LedgerEntry, Look, Revision, Trace, write_trace

GONE = "device-1-2"
LEFT = Conditions(absent=(GONE,))
BEGUN, CHANGED = "h-fedfm-2+d2d", "h-fedfm-4"
LOOKS = (
    Look(
        round=3,
        cause=f"{GONE} left",
        current=None,
        proposed=3.0,
        bound=2.5,
        rounds_left=6,
        adopted=False,
        reason="it may come back",
    ),
    Look(
        round=5,
        cause=f"{GONE} is still gone",
        conditions=LEFT,
        current=4.0,
        proposed=3.0,
        bound=2.5,
        rounds_left=4,
        saving=4.0,
        cost=0.5,
        adopted=True,
        reason="it saves more than it costs.",
    ),
    Look(round=7, cause="link device-0-1 to device-0-0 faded", current=3.0, rounds_left=2, reason="too late to pay"),
)


def changed_run(directory: Path) -> Run:
    """Write and read 8 rounds on tiny: from round 3 on a device is gone, from 5 on another plan is followed."""
    tiny = load_scenario("tiny")
    first, second = outcome_of(tiny, BEGUN), outcome_of(under(tiny, LEFT), CHANGED)
    problem, later = build_problem(tiny), build_problem(under(tiny, LEFT))
    one, two = made_up_trace(problem, first, 8, 0), made_up_trace(later, second, 8, 0)
    rounds = tuple(
        record.model_copy(update={"sat_out": (GONE,) if record.round >= 3 else ()})
        for record in (*one.rounds[:4], *two.rounds[4:])
    )
    trace = one.model_copy(
        update={
            "rounds": tuple(record.model_copy(update={"end_s": 2.0 * record.round}) for record in rounds),
            "accuracy": tuple(map(_shifted, (*_accuracy(one, range(1, 5)), *_accuracy(two, range(5, 9))))),
            "ledger": Ledger.of([*_entries(one, range(1, 5)), *_entries(two, range(5, 9))]),
            "revisions": (Revision(round=5, plan=second.plan, conditions=LEFT, notice_bits=(800, 800)),),
            "looks": LOOKS,
        }
    )
    begin_run(problem, first, directory)
    write_trace(trace, directory)
    whole = measure(problem, first.plan, one)
    curve = accuracy_curve(trace.accuracy)
    replans = (
        Replan(
            round=5,
            cause="",
            rounds=4,
            predicted_saving=4.0,
            cost=0.5,
            saved_s=3.125,
            saved_j=0.0,
            realised_saving=3.125,
        ),
    )
    told = whole.model_copy(update={"curve": curve, "replans": replans})
    write_text(directory / "measurement.json", dump_json(told))
    return read_run(directory)


def _entries(trace: Trace, rounds: range) -> list[LedgerEntry]:
    return [entry for entry in trace.ledger.entries() if entry.round in rounds]


def _accuracy(trace: Trace, rounds: range) -> list[AccuracyRecord]:
    return [record for record in trace.accuracy if record.round in rounds]


def _shifted(record: AccuracyRecord) -> AccuracyRecord:
    """Return a record at a cost that rises from round to round, whichever trace it is from."""
    early = 0.1 * (record.phase == "before-average")
    return record.model_copy(update={"clock_s": 2.0 * record.round - early, "energy_j": 3.0 * record.round - early})
