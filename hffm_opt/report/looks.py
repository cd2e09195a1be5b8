"""The looks at the plan that a run took, in plain words, with what each was to save and what it saved."""

from __future__ import annotations

from dataclasses import dataclass

from hffm_opt.report import numbers
from hffm_opt.report.run import Run
from hffm_opt.trace.model import Look

_UNITS = {"latency": "s", "energy": "J", "time-to-accuracy": "s", "energy-to-accuracy": "J"}


@dataclass(frozen=True)
class LookRow:
    """A line of the table: what was seen and done, and the figures that decided it."""

    round: int
    cause: str
    adopted: bool
    verdict: str
    current: str
    proposed: str
    bound: str
    saving: str
    cost: str
    realised: str


def look_rows(run: Run) -> tuple[LookRow, ...]:
    """Return a line for each look."""
    realised = {replan.round: replan.realised_saving for replan in run.measurement.replans}
    unit = _UNITS.get(run.outcome.objective_name, "")
    return tuple(_row(look, unit, realised.get(look.round)) for look in run.trace.looks)


def _row(look: Look, unit: str, realised: float | None) -> LookRow:
    def show(value: float | None, unknown: str = "—") -> str:
        return unknown if value is None else f"{numbers.number(value)}\u202f{unit}".rstrip()

    return LookRow(
        round=look.round,
        cause=look.cause,
        adopted=look.adopted,
        verdict=_verdict(look),
        current=show(look.current, "reaches nobody"),
        proposed=show(look.proposed),
        bound=show(look.bound),
        saving=show(look.saving, "without limit" if look.current is None and look.proposed is not None else "—"),
        cost=show(look.cost),
        realised=show(realised),
    )


def _verdict(look: Look) -> str:
    if look.adopted:
        return f"Changed the plan{_because(look)}"
    return f"{'Kept the plan' if look.proposed is not None else 'Kept the plan, no other was at hand'}{_because(look)}"


def _because(look: Look) -> str:
    return f": {look.reason.removesuffix('.')}" if look.reason else ""
