"""A closed loop: its looks and changes of plan, beside what every run shows."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from hffm_opt.cli.figures import figure
from hffm_opt.cli.views.tables import table, titled
from hffm_opt.cli.views.train import run_view
from hffm_opt.measurement.model import Replan
from hffm_opt.report import Run
from hffm_opt.trace.model import Look


def loop_json(run: Run, target: float | None) -> dict[str, object]:
    """Return the measurement with ``history`` (every look) and ``to_target`` (null where it was not reached)."""
    replans = {each.round: each for each in run.measurement.replans}
    reached = None if target is None else run.measurement.to_target(target)
    return run.measurement.model_dump(mode="json") | {
        "history": [_entry(look, replans.get(look.round)) for look in run.trace.looks],
        "to_target": None if reached is None else reached.model_dump(mode="json"),
    }


def _entry(look: Look, replan: Replan | None) -> dict[str, object]:
    realised = None if replan is None else replan.realised_saving
    told = look.model_dump(mode="json", exclude={"conditions", "saving"})
    return told | {"predicted_saving": look.saving, "realised_saving": realised}


def loop_view(run: Run, target: float | None) -> Iterator[RenderableType]:
    """Yield what a loop did, achieved and cost."""
    yield from run_view(run)
    if not run.trace.looks:
        yield Text("The plan was never looked at: the run ended before the first look.")
        return
    replans = {each.round: each for each in run.measurement.replans}
    made = table("from round", "what was new", "plan", right=("to save", "cost", "saved"))
    for look in run.trace.looks:
        replan = replans.get(look.round)
        made.add_row(
            str(look.round),
            look.cause,
            Text("changed", style="bold") if look.adopted else look.reason,
            "-" if look.proposed is None else _saving(look.saving),
            figure(look.cost) if look.proposed is not None else "-",
            "-" if replan is None else _saving(replan.realised_saving),
        )
    yield titled("Looks at the plan", made, "Savings and costs are in the objective's unit.")
    if target is not None:
        yield Text(_target_words(run, target))


def _saving(value: float | None) -> str:
    return "all" if value is None else figure(value)


def _target_words(run: Run, target: float) -> str:
    reached = run.measurement.to_target(target)
    if reached is None:
        return f"Mean accuracy {target:.1%} was not reached in any evaluated round."
    spent = f"{figure(reached.latency_s)} s and {figure(reached.energy_j)} J"
    return f"Mean accuracy {target:.1%} was reached in round {reached.round}, after {spent}."
