"""A run: accuracy beside the baseline, measured cost beside the prediction."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hffm_opt.cli.figures import bits, counted, figure, percent
from hffm_opt.cli.views.tables import table, titled
from hffm_opt.measurement import CurvePoint, Measurement
from hffm_opt.report import Run
from hffm_opt.report.algorithms import algorithm_words


def run_view(run: Run) -> Iterator[RenderableType]:
    """Yield what a run achieved and cost."""
    result = run.measurement
    state = "" if result.complete else f" (interrupted; {run.trace.header.rounds} were asked for)"
    yield Text.assemble(
        (result.method, "bold"), f" on {result.scenario}: {counted(result.rounds, 'round')}, seed {result.seed}{state}"
    )
    yield from map(Text, algorithm_words(run.trace))
    if result.accuracy:
        yield titled("Accuracy", accuracies(result), phase_in_words(result.headline))
    else:
        yield Text("Accuracy: nothing was evaluated.")
    yield titled("Cost of the whole run", costs(result))
    for task, faults in run.trace.header.skipped.items():
        reasons = ", ".join(f"{count} with {fault}" for fault, count in faults.items())
        yield Text(f"Left out of '{task}': {counted(sum(faults.values()), 'record')} ({reasons}).")


def accuracies(result: Measurement) -> Table:
    """Return the accuracy of each task beside the baseline of always giving the most frequent answer."""
    made = table("task", right=("accuracy", "just before", "most frequent answer"))
    for task, value in result.accuracy.items():
        before = None if result.before is None else result.before.accuracy.get(task)
        made.add_row(
            task,
            Text(percent(value), style="bold"),
            percent(before),
            percent(result.baseline[task]),
        )
    return made


def phase_in_words(point: CurvePoint | None) -> str:
    """Return when an accuracy was measured."""
    if point is None:
        return "Never evaluated."
    if point.phase == "before-average":
        return f"Measured at the end of round {point.round}; nothing was averaged in any evaluated round."
    return f"Measured right after the average at tier '{point.tier}' in round {point.round}, and just before it."


def costs(result: Measurement) -> Table:
    """Return predicted and measured costs; where the network changed, those that it then had stand between."""
    under = [] if result.explained is None else ["as the network was"]
    made = table("", right=("predicted", *under, "measured", "relative difference"))
    told = [costs for costs in (result.predicted, result.explained, result.measured) if costs is not None]
    off = result.difference
    made.add_row("latency", *(f"{figure(cost.latency_s)} s" for cost in told), f"{off.latency_s:+.1e}")
    made.add_row("energy", *(f"{figure(cost.energy_j)} J" for cost in told), f"{off.energy_j:+.1e}")
    made.add_row("moved", *(bits(cost.bits) for cost in told), f"{off.bits:+.1e}")
    made.add_row("really moved (serialised)", *([""] * (len(told) - 1)), bits(result.serialised_bits), "")
    return made
